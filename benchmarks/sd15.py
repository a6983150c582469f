"""What the rows of methods on SD1.5 and SD2 share: a tiny network, and the real one's sizes."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from support.golden import Golden

from benchmarks.measure import ratios
from benchmarks.steps import one_step
from likeness.attention.adds import KeysValues
from likeness.attention.sites import attention_sites

#: Widths of the sixteen cross-attention layers of the real one, in checkpoint order; SD2's are the same.
HIDDEN = (*(320,) * 2, *(640,) * 2, *(1280,) * 5, *(640,) * 3, *(320,) * 3, 1280)
#: Bytes of a number in fp16.
HALF = 2


def tiny(golden: Golden, base: str = "SD15", channels: int = 128) -> Any:
    """A MODEL on the host's device. base: SD15 or SD20; channels: the real one has 320."""
    import comfy.model_management

    # SD2's heads are all as wide; SD1.5 has the same number of them everywhere.
    heads = {"num_heads": channels // 32} if base == "SD15" else {"num_head_channels": 32, "num_heads": -1}
    model = golden.model(base, model_channels=channels, channel_mult=[1, 2, 4, 4], **heads)
    comfy.model_management.load_models_gpu([model])
    return model


def hidden(model: Any) -> list[int]:
    return [site.hidden for site in attention_sites(model.model.diffusion_model)]


def step_ratios(plain: Any, *others: Any, prompts: Any, rounds: int = 5) -> list[str]:
    """Of a step of each MODEL, with guidance, over the first one's. prompts: positive and negative."""
    return ratios(rounds, *(one_step(model, *prompts) for model in (plain, *others)))


def keys_and_values(tokens: int) -> int:
    """Bytes in fp16 of so many tokens' keys and values in all layers, somebody's and nobody's."""
    shapes = [(2, tokens, wide) for wide in HIDDEN]
    total = 2 * sum(map(prod, shapes))
    return KeysValues(torch.empty(total, device="meta"), shapes).bytes(torch.float16)
