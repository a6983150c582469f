"""Arc2Face's reference adapter: self-attention that looks at a reference picture.

The plain network sees the reference once, at timestep 0 and without noise, and every self-attention
layer keeps what it was given. While sampling, positive rows attend to that too.
Spec: instantid_arc2face.md 2.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from .. import host
from ..attention.bank import Bank, BankAttention
from ..attention.engine import inject
from ..attention.sites import SiteKey, attention_sites
from ..weights.read import read_weights
from .adapter_use import Use, kind_of


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
    sites = attention_sites(model.model.diffusion_model, "attn1")
    if not sites:
        raise ValueError(f"model is {kind_of(model)}, which has no U-Net: Apply Reference needs Arc2Face.")
    _check_image(image)
    if use.nothing("Apply Reference") or use.weight == 0:
        return model
    latent = model.model.process_latent_in(vae.encode(image[..., :3]))
    bank = write_bank(model, latent, positive[0][0][:1])
    if lora_file:
        model = _with_lora(model, lora_file, lora_strength)
    keys = tuple(site.key for site in sites)
    source = BankAttention(bank, keys, use.weight, use.window(model))
    return inject(model, sites, source, host.base_attention, "attn1")


def _check_image(image: torch.Tensor) -> None:
    if image.ndim != 4 or image.shape[-1] < 3 or 0 in image.shape:
        raise ValueError(f"image must be an IMAGE [B, H, W, 3], not {list(image.shape)}.")
    if not torch.isfinite(image).all():
        raise ValueError("image holds NaN or infinity.")


def write_bank(model: Any, latent: torch.Tensor, context: torch.Tensor) -> Bank:
    """What each self-attention layer is given, [1, pictures * tokens, hidden] float32 on the CPU.

    latent [B, 4, h, w] as the network takes it, context [1, T, D] the prompt.
    """
    memory = latent.numel() * 4 * 4096
    network, device, dtype = host.plain_network(model, memory)
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
    path = host.find_model("loras", file)
    if path is None:
        folders = "; ".join(host.model_folders("loras"))
        raise FileNotFoundError(f"lora {file} is missing. Searched: {folders}.")
    tensors = {host_lora_name(key): value for key, value in read_weights(path)[0].items()}
    patched, unused = host.add_lora(model, tensors, strength)
    if unused:
        shown = ", ".join(unused[:3]) + (", ..." if len(unused) > 3 else "")
        raise ValueError(
            f"lora {file}: {len(unused)} of {len(tensors)} tensors fit no layer of model ({shown})."
        )
    return patched


def host_lora_name(key: str) -> str:
    """A diffusers or PEFT LoRA key by the name the host knows; other keys as they are. Spec 2.6.

    unet.down_blocks.0.x.to_q.lora_A.weight -> lora_unet_down_blocks_0_x_to_q.lora_down.weight
    """
    if not key.startswith("unet."):
        return key
    key = key.removeprefix("unet.").replace(".processor.", ".")
    ends = {
        ".lora_A.weight": ".lora_down.weight",
        ".lora_B.weight": ".lora_up.weight",
        ".lora.down.weight": ".lora_down.weight",
        ".lora.up.weight": ".lora_up.weight",
        "_lora.down.weight": ".lora_down.weight",
        "_lora.up.weight": ".lora_up.weight",
        ".lora_A.default.weight": ".lora_down.weight",
        ".lora_B.default.weight": ".lora_up.weight",
        ".alpha": ".alpha",
    }
    for end, host_end in ends.items():
        if key.endswith(end):
            return "lora_unet_" + key.removesuffix(end).replace(".", "_") + host_end
    return "lora_unet_" + key
