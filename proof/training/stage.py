"""What a stage is, and what it is given."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Scale:
    """How much of a stage is done. quick: a smaller one that shows that all fits together, for tests."""

    steps: int
    pictures: int
    batch: int


@dataclass(frozen=True)
class Rooms:
    """Where things lie. models: finished files; cache: pictures and unfinished runs, both of this scale."""

    models: Path
    cache: Path


class Lesson(Protocol):
    """One stage at work. All randomness of step n comes from (seed, n): nothing else must be kept."""

    optimiser: Any

    def trained(self) -> Mapping[str, torch.Tensor]:
        """Everything that changes while it learns, averages as well, under stable names."""

    def step(self, number: int) -> float:
        """Learns once; returns the loss."""

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        """What is kept as file, and figures measured on what it has not seen."""


@dataclass(frozen=True)
class Stage:
    """module: of `lessons`, with a function begin(scale, seed, rooms, made) -> Lesson; made: earlier results
    by name. minutes: about how long on one core of the machine it was made on. delicate: beginnings of names
    of tensors that 8 bits would spoil; trunk: the stage from whose tensors this one's are stored as
    differences; bits: of each number that is none of those."""

    name: str
    module: str
    needs: tuple[str, ...]
    seed: int
    full: Scale
    quick: Scale
    minutes: float
    about: str
    delicate: tuple[str, ...] = ()
    trunk: str = ""
    bits: int = 8

    def begin(self, scale: Scale, rooms: Rooms, made: Mapping[str, Tensors]) -> Lesson:
        module = importlib.import_module(f"proof.training.lessons.{self.module}")
        lesson: Lesson = module.begin(scale, self.seed, rooms, made)
        return lesson
