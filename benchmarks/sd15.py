"""What the rows of SD1.5's methods share: a tiny network, its adapters, and the real one's sizes."""

from __future__ import annotations

from typing import Any

import torch
from support.fill import fill
from support.golden import Golden

from benchmarks.measure import ratios
from benchmarks.steps import one_step
from likeness.attention.sites import attention_sites

#: The sixteen cross-attention layers of the real one, in checkpoint order; SD2's are the same.
HIDDEN = (*(320,) * 2, *(640,) * 2, *(1280,) * 5, *(640,) * 3, *(320,) * 3, 1280)
#: Bytes of a number in fp16.
HALF = 2


def tiny(golden: Golden, base: str = "SD15") -> Any:
    """A MODEL of two fifths of the real one's widths, where the host draws."""
    import comfy.model_management

    # SD2's heads are all as wide; SD1.5 has the same number of them everywhere.
    heads = {"num_heads": 4} if base == "SD15" else {"num_head_channels": 32, "num_heads": -1}
    model = golden.model(base, model_channels=128, channel_mult=[1, 2, 4, 4], **heads)
    comfy.model_management.load_models_gpu([model])
    return model


def hidden(model: Any) -> list[int]:
    return [site.hidden for site in attention_sites(model.model.diffusion_model)]


def ip_layers(model: Any, width: int) -> dict[str, torch.Tensor]:
    """to_k and to_v of every cross-attention layer, in IP-Adapter's names."""
    return {
        f"{2 * n + 1}.to_{half}_ip.weight": fill(f"{n}{half}", (wide, width))
        for n, wide in enumerate(hidden(model))
        for half in "kv"
    }


def step_ratios(plain: Any, *others: Any, prompts: Any) -> list[str]:
    """Of a step of each MODEL, with guidance, over the first one's. prompts: positive and negative."""
    return ratios(5, *(one_step(model, *prompts) for model in (plain, *others)))


def keys_and_values(tokens: int, rows: int = 2) -> int:
    """Bytes in fp16 of so many tokens' keys and values in all layers; rows: somebody and nobody."""
    return HALF * sum(2 * rows * tokens * wide for wide in HIDDEN)
