"""One step's pictures, templates, people and texts, drawn by the step's number alone. Spec C.4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from likeness.faces.pictures import picture_size
from likeness.faces.template import SIZE

from ..chance import generator, happens, place
from ..pictures import read_square
from .ica import filled
from .people import People
from .triplets import Triplet

#: How far brightness, contrast and saturation go up or down; how often and how much a template is blurred.
_JITTER, _BLURRED, _BLUR = 0.2, 0.3, 1.5
#: The five points in the order that a mirror puts them.
_MIRRORED = [1, 0, 2, 4, 3]


class Batch(NamedTuple):
    """pictures [b, 3, S, S] from -1 to 1; templates [b, 3, 224, 224] from 0 to 1; vectors [b, D] raw, D 0 for
    no recogniser; faces [b, 3, 112, 112] from -1 to 1, of the people; points [b, 5, 2] in pixels of the
    pictures, NaN where there are none; mesh [b, 5, 2], those of the mesh, by which templates are aligned; one
    text each."""

    pictures: Tensor
    templates: Tensor
    vectors: Tensor
    faces: Tensor
    points: Tensor
    mesh: Tensor
    texts: list[str]


@dataclass(frozen=True, eq=False)
class Samples(Dataset[Batch]):
    """Batch n is what step n of one process learns from: always the same for the same numbers.

    count: pictures in a batch; side: of a picture, in pixels. process, processes: whose share. augment:
    colour, blur, mirror; off to look at what was learnt.
    """

    triplets: Sequence[Triplet]
    people: People
    count: int
    side: int
    seed: int = 0
    process: int = 0
    processes: int = 1
    augment: bool = True

    def __getitem__(self, number: int) -> Batch:
        source = generator("sample", self.seed, number, self.process)
        start = (number * self.processes + self.process) * self.count
        chosen = [self.triplets[place(start + i, len(self.triplets), self.seed)] for i in range(self.count)]
        parts = [self._one(triplet, source) for triplet in chosen]
        stacked = [torch.stack(values) for values in zip(*parts, strict=True)]
        pictures, templates, vectors, faces, points, mesh = stacked
        return Batch(
            pictures, templates, vectors, faces, points, mesh, [triplet.caption for triplet in chosen]
        )

    def _one(self, triplet: Triplet, source: torch.Generator) -> tuple[Tensor, ...]:
        picture, size = _target(triplet, self.side)
        template = read_square(triplet.expression, SIZE)
        points = self._points(triplet.landmarks, size)
        mesh = points if triplet.mesh_landmarks is None else self._points(triplet.mesh_landmarks, size)
        if self.augment:
            if happens(0.5, source):  # together: a wink stays with the eye that winks
                picture, template = picture.flip(-1), template.flip(-1)
                points, mesh = (
                    torch.stack([self.side - 1 - five[:, 0], five[:, 1]], dim=1)[_MIRRORED]
                    for five in (points, mesh)
                )
            template = jittered(template, source)
        return (2 * picture - 1, template, *self._person(triplet), points, mesh)

    def _points(self, five: Tensor | None, size: int) -> Tensor:
        """From pixels of the file to those of the picture; NaN for none."""
        return torch.full((5, 2), torch.nan) if five is None else (five + 0.5) * (self.side / size) - 0.5

    def _person(self, triplet: Triplet) -> tuple[Tensor, Tensor]:
        nobody = torch.zeros(self._vector_width)
        if triplet.identity is None:
            return nobody, torch.zeros(3, 112, 112)
        face = self.people.faces[triplet.identity].float().movedim(-1, 0) / 127.5 - 1
        return self.people.vectors.get(triplet.identity, nobody), face

    @cached_property
    def _vector_width(self) -> int:
        return max((len(vector) for vector in self.people.vectors.values()), default=0)


def _target(triplet: Triplet, side: int) -> tuple[Tensor, int]:
    """The picture [3, side, side] from 0 to 1, and how many pixels a side of the file has."""
    return read_square(triplet.target, side), picture_size(triplet.target)[0]


def jittered(template: Tensor, source: torch.Generator) -> Tensor:
    """A template [3, S, S] in other light, sometimes blurred; black stays black."""
    inside = filled(template[None])[0]
    bright, contrast, colourful = (1 + _JITTER * (2 * torch.rand(3, generator=source) - 1)).tolist()
    grey = template.mean(dim=0, keepdim=True)
    middle = (grey * inside).sum() / inside.sum().clamp(min=1)
    changed = grey + colourful * (template - grey)
    changed = bright * (middle + contrast * (changed - middle))
    if happens(_BLURRED, source):
        changed = _blurred(changed, 0.1 + _BLUR * float(torch.rand((), generator=source)))
    return changed.clamp(0, 1) * inside


def _blurred(picture: Tensor, sigma: float) -> Tensor:
    reach = max(1, round(3 * sigma))
    steps = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-(steps**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(3, 1, -1)
    planes = F.pad(picture[None], (reach, reach, reach, reach), mode="replicate")
    along = F.conv2d(planes, kernel[:, :, None, :], groups=3)
    return F.conv2d(along, kernel[:, :, :, None], groups=3)[0]
