"""Arc2Face's reference adapter: self-attention that looks at a reference picture.

The plain network sees the reference once, at timestep 0 and without noise, and every self-attention
layer keeps what it was given. While sampling, positive rows attend to that too.
Spec: instantid_arc2face.md 2.6.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch

from ... import host
from ...adapters import kind_of
from ...attention.engine import inject
from ...attention.lengthens import Bank, BankAttention
from ...attention.sites import SiteKey, attention_sites
from ...attention.use import Use
from ...weights.chosen import find_chosen
from ...weights.read import read_weights

log = logging.getLogger(__name__)

LORAS, PUBLISHED = "loras", "arc2face/ref_adapter"
NEEDS = "Apply Reference needs Arc2Face or another SD1.5 model"


def apply(
    model: Any,
    vae: Any,
    image: torch.Tensor,
    positive: list[Any],
    use: Use,
    lora_file: str | None = None,
    lora_strength: float = 0.8,
) -> Any:
    """A clone of MODEL that takes its looks from image [B, H, W, C]; the reference method has weight 1.

    The LoRA (a file of the host's folder loras) acts on the whole MODEL, as in the reference code;
    the reference picture itself goes through the network without it. Several pictures are all
    looked at. Raises ValueError for a model without U-Net self-attention, a bad picture or LoRA.
    """
    _check(model, image, positive)
    if use.nothing("Apply Reference") or use.weight == 0:
        return model
    # Asked of the MODEL: the network it shares holds what the last drawing of any MODEL left there.
    latent = model.get_model_object("latent_format").process_in(_encode(vae, image))
    bank = write_bank(model, latent, positive[0][0][:1])
    if lora_file:
        model = _with_lora(model, lora_file, lora_strength)
    sites = attention_sites(model.model.diffusion_model, "attn1")
    return inject(model, sites, BankAttention(bank, use.weight, use.window), "attn1")


def _check(model: Any, image: torch.Tensor, positive: list[Any]) -> None:
    """Raise ValueError for what the writer pass could not take."""
    network, kind = model.model.diffusion_model, kind_of(model)
    if not attention_sites(network, "attn1"):
        raise ValueError(f"model is {kind}, which has no U-Net. {NEEDS}.")
    if getattr(network, "num_classes", None) is not None or network.in_channels != 4:
        raise ValueError(f"model is {kind}, which takes more than a latent and a prompt. {NEEDS}.")
    if image.ndim != 4 or image.shape[-1] < 3 or image.shape[0] == 0 or min(image.shape[1:3]) < 8:
        raise ValueError(f"image must be an IMAGE [B, H, W, 3] of 8 pixels or more, not {list(image.shape)}.")
    if not torch.isfinite(image).all():
        raise ValueError("image holds NaN or infinity.")
    if not positive:
        raise ValueError("positive is empty: connect the prompt of Encode Arc2Face.")
    width = attention_sites(network)[0].context
    if positive[0][0].shape[-1] != width:
        raise ValueError(
            f"positive has tokens of width {positive[0][0].shape[-1]}, but model takes {width}: use the "
            "prompt that was encoded for this model."
        )
    if len(positive) > 1 or positive[0][0].shape[0] > 1:
        log.info("Apply Reference: the reference is seen with the first of several prompts.")


def _encode(vae: Any, image: torch.Tensor) -> torch.Tensor:
    latent: torch.Tensor = vae.encode(image[..., :3])
    if latent.ndim != 4 or latent.shape[1] != 4:
        raise ValueError(
            f"vae makes latents of shape {list(latent.shape)}; an SD1.5 VAE, with 4 channels, is needed."
        )
    return latent


def write_bank(model: Any, latent: torch.Tensor, context: torch.Tensor) -> Bank:
    """What each self-attention layer is given, [1, pictures * tokens, hidden] float32 on the CPU.

    latent [B, 4, h, w] as the network takes it, context [1, T, D] the prompt.
    """
    memory = latent.numel() * 4 * 4096
    network, device, dtype = host.loading.plain_network(model, memory)
    seen: dict[SiteKey, torch.Tensor] = {}

    def note(
        n: torch.Tensor, context: torch.Tensor, value: torch.Tensor, options: Mapping[str, Any]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        name, number = options["block"]
        seen[(name, number, options["block_index"])] = n.flatten(0, 1)[None].to("cpu", torch.float32)
        return n, context, value

    count = latent.shape[0]
    with torch.no_grad():
        network(
            latent.to(device, dtype),
            timesteps=torch.zeros(count, device=device),
            context=context.to(device, dtype).expand(count, -1, -1),
            transformer_options={"patches": {"attn1_patch": [note]}, "cond_or_uncond": [0]},
        )
    return seen


def _with_lora(model: Any, file: str, strength: float) -> Any:
    tensors = read_weights(find_chosen(LORAS, file, PUBLISHED))[0]
    text = [key for key in tensors if key.startswith(("lora_te", "text_encoder"))]
    if text:
        log.info("lora %s: its %d tensors for a text encoder are left out.", file, len(text))
    named = {host_lora_name(key): value for key, value in tensors.items() if key not in text}
    patched, unused = host.loading.add_lora(model, named, strength)
    if unused:
        shown = ", ".join(unused[:3]) + (", ..." if len(unused) > 3 else "")
        raise ValueError(
            f"lora {file}: {len(unused)} of {len(named)} tensors fit no layer of model ({shown})."
        )
    return patched


def fingerprint(lora: str | None) -> str:
    """Changes when the LoRA file does, so that the host runs the node again."""
    return host.files.fingerprint(LORAS, lora)


#: What PEFT writes before every name, and how a U-Net's layers begin: its own writers leave out `unet.`.
_WRAPPED = "base_model.model."
_LAYERS = ("down_blocks.", "mid_block.", "up_blocks.")
#: How the two halves end with diffusers and PEFT, and with the host.
_ENDS = {
    ".lora_A.weight": ".lora_down.weight",
    ".lora_B.weight": ".lora_up.weight",
    ".lora.down.weight": ".lora_down.weight",
    ".lora.up.weight": ".lora_up.weight",
    ".lora_A.default.weight": ".lora_down.weight",
    ".lora_B.default.weight": ".lora_up.weight",
    ".alpha": ".alpha",
}


def host_lora_name(key: str) -> str:
    """A diffusers or PEFT LoRA key by the name the host knows; other keys as they are. Spec 2.6.

    unet.down_blocks.0.x.to_q.lora_A.weight -> lora_unet_down_blocks_0_x_to_q.lora_down.weight
    """
    layer = key.removeprefix("unet.").removeprefix(_WRAPPED).removeprefix("unet.")
    if layer == key and not key.startswith(_LAYERS):
        return key
    if ".processor." in layer:
        return "unet." + layer  # the older layout, unet.x.processor.to_q_lora.down.weight, is the host's, too
    for end, host_end in _ENDS.items():
        if layer.endswith(end):
            return "lora_unet_" + layer.removesuffix(end).replace(".", "_") + host_end
    return "lora_unet_" + layer
