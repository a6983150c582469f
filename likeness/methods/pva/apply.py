"""Putting a person into an inpainting MODEL. Spec: pva_freecure_emojidiff.md A.2, A.3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from ... import host
from ...adapters import Adapter, Tokens, Words, attend, kind_of
from ...attention.gate import JointAttention, VisualTokens, fold
from ...attention.sites import Site, attention_module, attention_sites, numbered
from ...attention.use import Use
from ...attention.views import Role
from ...choices.pva import APPLY_TO
from .content import PVA

_CHANNELS = 9
_NEEDS = "PVA needs an inpainting checkpoint (9 channels) with prompt tokens of width"
_FAMILIES = {768: "768, that of SD1.5", 1024: "1024, that of SD2 (512-inpainting-ema.safetensors)"}


def apply(model: Any, pva: PVA, tokens: Tokens, use: Use, apply_to: str = "positive") -> Any:
    """A clone of MODEL that draws the person; MODEL itself when there is nothing to do.

    use.weight is the strength: it multiplies the identity's weights before the softmax; 1 is the published
    method. apply_to: the prompts whose rows look, a key of APPLY_TO. What a file tuned of the model's own
    attention goes into the weights, also outside of the window. Raises ValueError for what does not fit.
    """
    if apply_to not in APPLY_TO:
        raise ValueError(f"apply_to must be one of {', '.join(APPLY_TO)}, not {apply_to!r}.")
    if use.weight < 0:
        raise ValueError(f"strength is {use.weight}: it can't be less than 0, where the person has no part.")
    looking = attend(model, adapter_of(pva), tokens, use, APPLY_TO[apply_to])
    if looking is model or not pva.tuned:
        return looking
    layers = layer_names(model, pva, match(model, pva))
    return host.loading.set_weights(
        looking, {host_name(key, layers): value for key, value in pva.tuned.items()}
    )


def adapter_of(pva: PVA) -> Adapter:
    """PVA as an adapter like others, whose layers have a query of their own."""
    words = Words("Apply PVA", _needs(pva), "pva_tokens", "pva", "Load PVA")
    base = pva.base
    return Adapter(base.name, base.transformer, VisualLayers(pva), base.recogniser, words, base.file)


@dataclass(frozen=True, eq=False)
class VisualLayers:
    """The layers of a PVA file, in checkpoint order."""

    pva: PVA
    hidden: bool = True

    def number(self, index: int) -> int:
        return 2 * index + 1

    def match(
        self, network: torch.nn.Module, kind: str, needs: str
    ) -> tuple[tuple[Site, ...], tuple[int, ...]]:
        """One to one. Raises ValueError for another network."""
        sites = _match(network, kind, self.pva, needs)
        return sites, tuple(range(len(sites)))

    def source(
        self, tokens: Tokens, sites: Sequence[Site], numbers: Sequence[int], use: Use, roles: frozenset[Role]
    ) -> JointAttention:
        """What each layer needs of the tokens is projected once, in float32 on the CPU."""
        one, layers = tokens.somebody[0], []
        for number, site in zip(numbers, sites, strict=True):
            layer = self.pva.layers[number]
            to_q, to_k, to_v = (w.to("cpu", torch.float32) for w in (layer.to_q, layer.to_k, layer.to_v))
            layers.append((fold(to_q, F.linear(one, to_k), site.heads), F.linear(one, to_v)))
        return JointAttention(
            "Apply PVA",
            VisualTokens(layers),
            numbered(sites),
            use.weight,
            use.window,
            roles,
            host.attention.logits_dtype,
            sites[0].precision,
        )


def match(model: Any, pva: PVA) -> tuple[Site, ...]:
    """The network's cross-attention layers in checkpoint order. Raises ValueError for another network."""
    return _match(model.model.diffusion_model, kind_of(model), pva, _needs(pva))


def _needs(pva: PVA) -> str:
    return f"{_NEEDS} {_FAMILIES.get(pva.token_width, pva.token_width)}."


def _match(network: Any, kind: str, pva: PVA, needs: str) -> tuple[Site, ...]:
    width = pva.token_width
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
