"""How PVA's samples are drawn, for its trainer and for tuning on one person.

Spec: pva_freecure_emojidiff.md A.5.
Everything random comes from a generator on the CPU, so a seed gives the same lessons everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch

#: Steps of the diffusion that the networks were trained on.
TIMESTEPS = 1000


def strata(parts: int, generator: torch.Generator) -> torch.Tensor:
    """One timestep out of each of `parts` equal parts of 0 to 999, ascending: int64 [parts]."""
    edges = [TIMESTEPS * n // parts for n in range(parts + 1)]
    return torch.stack([torch.randint(low, high, (), generator=generator) for low, high in pairwise(edges)])


def mirrored(pictures: torch.Tensor, generator: torch.Generator, chance: float = 0.5) -> torch.Tensor:
    """Pictures [n, C, H, W], each mirrored or not by itself."""
    turned = torch.rand(len(pictures), generator=generator) < chance
    return torch.where(turned.to(pictures.device)[:, None, None, None], pictures.flip(-1), pictures)


@dataclass(frozen=True)
class View:
    """One of a person's pictures, by its place, as it is or mirrored."""

    place: int
    mirrored: bool

    @property
    def turned(self) -> View:
        return View(self.place, not self.mirrored)


@dataclass(frozen=True)
class Lesson:
    """What one step of tuning looks at: the picture to fill, and those to know the person by."""

    target: View
    references: tuple[View, ...]


def lessons(pictures: int, generator: torch.Generator) -> Iterator[Lesson]:
    """Without end: every picture once per round, in an order drawn anew; the others are its references.

    Each is mirrored or not, and the last reference comes mirrored again, so that there are as many as
    pictures. A single picture has its own mirror image for a reference. Spec A.5.1 step 4.
    """

    def view(place: int) -> View:
        return View(place, bool(torch.rand((), generator=generator) < 0.5))

    while True:
        for place in torch.randperm(pictures, generator=generator).tolist():
            target = view(place)
            order = torch.randperm(pictures, generator=generator).tolist()
            others = [view(other) for other in order if other != place] or [target.turned]
            yield Lesson(target, (*others, others[-1].turned) if pictures > 1 else tuple(others))
