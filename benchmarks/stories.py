"""What a story costs: its prompts once, and each sampling step with Hold Identity."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks import network
from benchmarks.measure import best_of, ratios
from benchmarks.steps import one_step
from likeness.methods import story
from likeness.text import Columns

#: SDXL's two text encoders, and a story of ten frames: 9 words for who it is, 6 for each frame.
_COLUMNS = Columns("l", 0, 768), Columns("g", 768, 2048)
_IDENTITY, _FRAMES, _WORDS = 9, 10, 6


def rows() -> list[tuple[str, str]]:
    room = network.room()
    held = story.hold(room.model, _IDENTITY + 1, story.Use(1.0))
    half = story.hold(room.model, _IDENTITY + 1, story.Use(0.5))
    samplers = (one_step(model, room.prompt, room.prompt) for model in (room.model, held, half))
    one, biased = ratios(15, *samplers)
    return [
        ("one sampling step with Hold Identity, over the plain model", one),
        ("the same at another strength than 1", biased),
        ("reweighting a story of 10 frames for SDXL", f"{best_of(5, _story())[0] * 1e3:.0f} ms"),
    ]


def _story() -> Any:
    """Ten frames made loud in SDXL's columns, without the text encoders' own time."""
    x = torch.randn(77, 2048, generator=torch.Generator().manual_seed(1))
    first = _IDENTITY + 1
    frames = [range(first + _WORDS * n, first + _WORDS * (n + 1)) for n in range(_FRAMES)]
    ends = range(first + _WORDS * _FRAMES, 77)

    def prepare() -> None:
        for one in _COLUMNS:
            part = x[:, one.start : one.stop]
            list(story.expressed(part, frames, ends, range(_FRAMES), story.Reweighting()))

    return prepare
