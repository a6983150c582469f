"""What is looked at while PVA learns: the loss on people it does not learn from, and pictures of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..chance import generator
from ..grid import write_grid
from ..watch import SEED, looking
from .lesson import Batch, PVALesson
from .samples import PLAIN, Samples


def draw(lesson: PVALesson, batch: Batch, steps: int, autocast: Any) -> Tensor:
    """The batch's holes filled by DDIM with eta 1 and no guidance, spec A.4: [b, 3, S, S] from 0 to 1."""
    scheduler, source = lesson.ddim(steps), generator("drawn", SEED)
    with looking(lesson), autocast():
        plain = batch._replace(texts=[PLAIN] * len(batch.texts))
        prepared = lesson.prepare_batch(plain, generator("drawn", SEED, "latents"))
        context = lesson.context(prepared["ids"], prepared["people"])
        device, shape = prepared["clean"].device, prepared["clean"].shape
        x = torch.randn(shape, generator=source).to(device)
        for time in scheduler.timesteps.tolist():
            times = torch.full((len(x),), time, device=device)
            noise = lesson.noise(x, prepared["around"], times, context).float()
            variance = torch.randn(shape, generator=source).to(device)
            x = scheduler.step(noise, time, x, eta=1.0, variance_noise=variance).prev_sample
        return lesson.shown(x)


def draw_grid(
    lesson: PVALesson, samples: Samples, numbers: Sequence[int], steps: int, path: Path, autocast: Any
) -> None:
    """A row per person: one reference as the face encoder sees it, the picture, its hole, what was drawn."""
    rows = []
    for number in numbers:
        batch = samples[number]
        drawn = draw(lesson, batch, steps, autocast)
        for i, made in enumerate(drawn):
            picture, hole = batch.pictures[i] / 2 + 0.5, batch.holes[i]
            masked = picture * (1 - hole) + 0.5 * hole
            rows.append([batch.faces[i, 0] / 2 + 0.5, picture, masked, made])
    write_grid(rows, path)
