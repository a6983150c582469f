"""What is looked at while an adapter learns: whether it tells people apart, and pictures of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..chance import generator
from ..grid import write_grid
from ..watch import SEED, looking
from .lesson import AdapterLesson
from .samples import Batch, Samples


def told_apart(lesson: AdapterLesson, samples: Samples, count: int) -> dict[str, float]:
    """The loss of the first `count` batches, told who it is, told it is the next picture's person, and told
    nobody: the same pictures, noise and words each time. Empty for batches of one picture."""
    if samples.count == 1:
        return {}
    sums = {"own face": 0.0, "another's face": 0.0, "no face": 0.0}
    with looking(lesson):
        for number in range(count):
            batch = samples[number]
            prepared = lesson.prepare_batch(batch, generator("told apart", SEED, number))
            vectors = batch.vectors.to(lesson.alphas.device)
            given = (vectors, vectors.roll(1, dims=0), torch.zeros_like(vectors))
            for name, shown in zip(sums, given, strict=True):
                sums[name] += float(lesson({**prepared, "vectors": shown}, 0)) / count
    return {f"loss, {name}": value for name, value in sums.items()}


def draw(lesson: AdapterLesson, batch: Batch, steps: int, guidance: float, autocast: Any) -> Tensor:
    """Pictures [b, 3, S, S] from 0 to 1 of the batch's texts and people, by DDIM.

    guidance: the other half sees no text and nobody.
    """
    scheduler, count, side = lesson.ddim(steps), len(batch.texts), batch.pictures.shape[-1]
    device = lesson.alphas.device
    with looking(lesson), autocast():
        shape = lesson.prepare_batch(batch, generator("drawn", SEED, "latents"))["clean"].shape
        x = torch.randn(shape, generator=generator("drawn", SEED)).to(device)
        told = lesson.texts([""] * count + list(batch.texts), side, device)
        told["vectors"] = torch.cat([torch.zeros_like(batch.vectors), batch.vectors]).to(device)
        for time in scheduler.timesteps.tolist():
            times = torch.full((2 * count,), time, device=device)
            plain, wanted = lesson.noise(torch.cat([x, x]), times, told).float().chunk(2)
            x = scheduler.step(plain + guidance * (wanted - plain), time, x).prev_sample
        return lesson.shown(x)


def draw_grid(
    lesson: AdapterLesson,
    samples: Samples,
    numbers: Sequence[int],
    steps: int,
    guidance: float,
    path: Path,
    autocast: Any,
) -> None:
    """A row per person: a picture of theirs, and what was drawn of another one's vector."""
    rows = []
    for number in numbers:
        batch = samples[number]
        drawn = draw(lesson, batch, steps, guidance, autocast)
        rows += [[picture / 2 + 0.5, made] for picture, made in zip(batch.pictures, drawn, strict=True)]
    write_grid(rows, path)
