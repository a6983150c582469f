"""Putting a person into an inpainting MODEL. Spec: pva_freecure_emojidiff.md A.2, A.3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F

from ... import host
from ...attention.engine import inject
from ...attention.gate import JointAttention, VisualTokens, fold
from ...attention.sites import Site, attention_module, attention_sites
from ...attention.use import Use, kind_of
from ...choices.pva import APPLY_TO
from .content import PVA, PVATokens

_CHANNELS = 9
_NEEDS = "PVA needs an inpainting checkpoint (9 channels) with prompt tokens of width"
_FAMILIES = {768: "768, that of SD1.5", 1024: "1024, that of SD2 (512-inpainting-ema.safetensors)"}


def apply(model: Any, pva: PVA, tokens: PVATokens, use: Use, apply_to: str = "positive") -> Any:
    """A clone of MODEL that draws the person; MODEL itself when there is nothing to do.

    use.weight is the strength: it multiplies the identity's weights before the softmax; 1 is the published
    method. apply_to: the prompts whose rows look, a key of APPLY_TO. What a file tuned of the model's own
    attention goes into the weights, also outside of the window. Raises ValueError for what does not fit.
    """
    if apply_to not in APPLY_TO:
        raise ValueError(f"apply_to must be one of {', '.join(APPLY_TO)}, not {apply_to!r}.")
    if use.weight < 0:
        raise ValueError(f"strength is {use.weight}: it can't be less than 0, where the person has no part.")
    sites = match(model, pva)
    if tokens.tokens.shape[-1] != pva.token_width:
        raise ValueError(
            f"pva_tokens are {tokens.tokens.shape[-1]} wide, {pva.name} takes {pva.token_width}: they were "
            "made with another pva. Connect the same Load PVA to Encode PVA."
        )
    if use.nothing("Apply PVA") or use.weight == 0:
        return model
    if pva.tuned:
        layers = layer_names(model, pva, sites)
        model = host.loading.set_weights(
            model, {host_name(key, layers): value for key, value in pva.tuned.items()}
        )
    kept = visual_tokens(pva, tokens, sites)
    source = JointAttention(
        "Apply PVA", kept, use.weight, use.window, APPLY_TO[apply_to], host.attention.logits_dtype
    )
    return inject(model, sites, source, host.attention.base_attention, hidden=True)


def visual_tokens(pva: PVA, tokens: PVATokens, sites: tuple[Site, ...]) -> VisualTokens:
    """What each layer needs of the tokens, projected once, in float32 on the CPU."""
    one, layers = tokens.tokens[0].to("cpu", torch.float32), []
    for layer, site in zip(pva.layers, sites, strict=True):
        to_q, to_k, to_v = (w.to("cpu", torch.float32) for w in (layer.to_q, layer.to_k, layer.to_v))
        layers.append((fold(to_q, F.linear(one, to_k), site.heads), F.linear(one, to_v)))
    return VisualTokens(layers)


def match(model: Any, pva: PVA) -> tuple[Site, ...]:
    """The network's cross-attention layers in checkpoint order. Raises ValueError for another network."""
    network, kind, width = model.model.diffusion_model, kind_of(model), pva.token_width
    needs = f"{_NEEDS} {_FAMILIES.get(width, width)}."
    sites = attention_sites(network)
    if not sites:
        raise ValueError(f"model is {kind}, which has no U-Net cross-attention. {needs}")
    widths = sorted({site.context for site in sites})
    if widths != [width]:
        found = ", ".join(str(w) for w in widths)
        raise ValueError(
            f"model is {kind} with prompt tokens of width {found}, but {pva.name} has {width}. {needs}"
        )
    if network.in_channels != _CHANNELS:
        raise ValueError(
            f"model is {kind} with {network.in_channels} input channels: it knows nothing of masks. {needs}"
        )
    hidden = [layer.to_q.shape[0] for layer in pva.layers]
    if hidden != [site.hidden for site in sites]:
        raise ValueError(
            f"model is {kind}, whose {len(sites)} cross-attention layers are not the {len(hidden)} of "
            f"{pva.name} in number or width. {needs}"
        )
    return sites


def layer_names(model: Any, pva: PVA, sites: tuple[Site, ...]) -> dict[str, str]:
    """What the host's U-Net calls each cross-attention layer, by the name that it has in PVA's files."""
    network = model.model.diffusion_model
    names = {id(module): name for name, module in network.named_modules()}
    return {
        layer.name: names[id(attention_module(network, site.key, "attn2"))]
        for layer, site in zip(pva.layers, sites, strict=True)
    }


def host_name(key: str, layers: Mapping[str, str]) -> str:
    """A tensor's name in the host's U-Net. key: its name in PVA's files; layers: of `layer_names`."""
    layer, _, part = key.partition(".attn2.")
    return f"{layers[f'{layer}.attn2']}.{part}"
