"""Arc2Face's reference while its LoRA learns: self-attention that also looks at another picture.

What is learnt and what our node runs are the same lines of the pack, so that they can't differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from ..host import use_host

use_host()

from likeness import host  # noqa: E402
from likeness.attention.calls import Call  # noqa: E402
from likeness.attention.engine import SitePatch  # noqa: E402
from likeness.attention.lengthens import Bank, BankAttention  # noqa: E402
from likeness.attention.sites import SiteKey, attention_sites  # noqa: E402
from likeness.attention.use import Window  # noqa: E402
from likeness.attention.views import View  # noqa: E402

from . import layouts  # noqa: E402

#: Of the LoRA in our node, where nobody chooses another.
STRENGTH = 0.8
_RANK = 32
_LAYERS = ("attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0")


class Lora(nn.Module):
    """A weight with what two small matrices add to it; it begins as nothing."""

    def __init__(self, weight: torch.Tensor, chance: torch.Generator) -> None:
        super().__init__()
        rank = min(_RANK, *weight.shape)
        down = torch.randn(rank, weight.shape[1], generator=chance) * weight.shape[1] ** -0.5
        self.down, self.up = nn.Parameter(down), nn.Parameter(torch.zeros(len(weight), rank))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight + STRENGTH * self.up @ self.down


def with_lora(network: nn.Module, seed: int) -> dict[str, nn.Parameter]:
    """Puts a LoRA into the self-attention of a frozen network of Arc2Face's shape; returns what learns, by
    the names that diffusers and PEFT give it."""
    import comfy.utils

    theirs = {ours: name for name, ours in comfy.utils.unet_to_diffusers(layouts.UNETS["arc2face"]).items()}
    chance = torch.Generator().manual_seed(seed)
    learnt: dict[str, nn.Parameter] = {}
    for name, module in [*network.named_modules()]:
        if name.endswith(_LAYERS):
            lora = Lora(module.get_parameter("weight"), chance)
            parametrize.register_parametrization(module, "weight", lora)
            layer = "unet." + theirs[f"{name}.weight"].removesuffix(".weight")
            learnt |= {f"{layer}.lora_A.weight": lora.down, f"{layer}.lora_B.weight": lora.up}
    return learnt


@torch.no_grad()
def seen(plain: nn.Module, latents: torch.Tensor, context: torch.Tensor) -> Bank:
    """What each self-attention layer of the network without LoRA is given of pictures, [n, places, width]."""
    bank: dict[SiteKey, torch.Tensor] = {}

    def note(n: torch.Tensor, context: Any, value: Any, options: Mapping[str, Any]) -> tuple[Any, Any, Any]:
        name, number = options["block"]
        bank[name, number, options["block_index"]] = n
        return n, context, value

    options = {"patches": {"attn1_patch": [note]}, "cond_or_uncond": [0]}
    plain(latents, torch.zeros(len(latents)), context, transformer_options=options)
    return bank


def looking(network: nn.Module, bank: Bank) -> dict[str, Any]:
    """The host's transformer_options with which row n of a batch looks at row n of what was seen."""
    source = BankAttention(bank, 1.0, Window(0.0, 1.0))
    some = next(iter(bank.values()))
    source.prepare(Call((View("positive"),), network=network), some.device, some.dtype)
    sites, base = attention_sites(network, "attn1"), host.attention.base_attention
    slots = {site.key: SitePatch(("attn1", site.key), (source,), base) for site in sites}
    return {"patches_replace": {"attn1": slots}, "cond_or_uncond": [0]}
