"""Looking at a lesson while it learns, without learning from what is seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch

from .chance import generator
from .loop import Lesson

#: What is looked at has the same noise every time.
SEED = 2022


class Batches(Protocol):
    """What a lesson is shown, by number."""

    def __getitem__(self, number: int) -> Any: ...


@contextmanager
def looking(lesson: Lesson) -> Iterator[None]:
    """No gradients, no dropout; afterwards the lesson learns on."""
    lesson.train(False)
    try:
        with torch.no_grad():
            yield
    finally:
        lesson.train(True)


def held_out_loss(lesson: Lesson, batches: Batches, count: int) -> float:
    """The mean loss of the first `count` batches, with the same noise and timesteps every time."""
    with looking(lesson):
        losses = []
        for number in range(count):
            prepared = lesson.prepare_batch(batches[number], generator("held out", SEED, number))
            losses += [float(lesson(prepared, part)) for part in range(lesson.parts)]
    return sum(losses) / len(losses)
