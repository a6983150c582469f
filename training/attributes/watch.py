"""What is looked at while a direction learns: its length, and pictures of prompts at rising scales."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..chance import generator
from ..grid import write_grid
from ..watch import SEED, looking
from .lesson import AttributeLesson
from .samples import Prompts

#: Of the pictures, from left to right; the share of the steps in which the prompt is not edited yet.
SCALES, DELAY = (-2.0, -1.0, 0.0, 1.0, 2.0), 0.2


def draw(lesson: AttributeLesson, prompts: Prompts, scales: Sequence[float] = SCALES) -> Tensor:
    """Pictures [n, 3, S, S] from 0 to 1 of the neutral prompt, all from one noise, one for each scale."""
    scheduler, count = lesson.ddim(lesson.course.steps), len(scales)
    with looking(lesson), lesson.autocast():
        x = lesson.start(1, generator("drawn", SEED, prompts.neutral)).repeat(count, 1, 1, 1)
        empty, told = (lesson.encoded([text] * count) for text in ("", prompts.neutral))
        rows = lesson.rows([prompts]).expand(count, -1)
        shown = lesson.edited(told["text"], rows, torch.tensor(scales, device=x.device))
        plain = {name: torch.cat([empty[name], told[name]]) for name in told}
        edited = {**plain, "text": torch.cat([empty["text"].float(), shown])}
        first = round(DELAY * lesson.course.steps)
        for n, time in enumerate(scheduler.timesteps.tolist()):
            noise = lesson.guided(x, time, plain if n < first else edited)
            x = scheduler.step(noise, time, x).prev_sample
        return lesson.shown(x)


def draw_grid(lesson: AttributeLesson, prompts: Sequence[Prompts], path: Path) -> dict[str, float]:
    """A row per prompt, a column per scale. Returns the direction's lengths."""
    write_grid([list(draw(lesson, one)) for one in prompts], path)
    return {f"length {name}": float(value.detach().norm()) for name, value in lesson.trained().items()}
