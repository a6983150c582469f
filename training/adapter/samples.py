"""One step's pictures, people and texts, drawn by the step's number alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..chance import generator, happens, place, whole
from ..people import People, Person
from ..pictures import read_square
from .faces import Known

PLAIN = "a photo of a person"


class Batch(NamedTuple):
    """pictures [b, 3, S, S] from -1 to 1; vectors [b, 512] raw, of another picture of the person; boxes
    [b, 4] of the face, x1, y1, x2, y2 in parts of the side; one text each."""

    pictures: Tensor
    vectors: Tensor
    boxes: Tensor
    texts: list[str]


@dataclass(frozen=True, eq=False)
class Samples(Dataset[Batch]):
    """Batch n is what step n of one process learns from: always the same for the same numbers.

    persons: of the people. count: pictures in a batch; side: of a picture, in pixels. process, processes:
    whose share. mirror: half of the pictures; off to look at what was learnt.
    """

    people: People
    persons: Sequence[Person]
    known: Known
    count: int
    side: int
    seed: int = 0
    process: int = 0
    processes: int = 1
    mirror: bool = True

    @cached_property
    def targets(self) -> list[tuple[str, str]]:
        """(the picture, the person), by their names; pictures that show a face."""
        return [(name, person.name) for person in self.persons for name in self._shown(person)]

    def _shown(self, person: Person) -> list[str]:
        names = (self.people.name(picture) for picture in person.pictures)
        return [name for name in names if name in self.known.vectors]

    @cached_property
    def _pictures(self) -> dict[str, list[str]]:
        return {person.name: self._shown(person) for person in self.persons}

    def __getitem__(self, number: int) -> Batch:
        source = generator("sample", self.seed, number, self.process)
        first = (number * self.processes + self.process) * self.count
        chosen = [self.targets[place(first + i, len(self.targets), self.seed)] for i in range(self.count)]
        parts = [self._one(name, person, source) for name, person in chosen]
        pictures, vectors, boxes = (torch.stack(values) for values in zip(*parts, strict=True))
        return Batch(pictures, vectors, boxes, [self._text(name) for name, _ in chosen])

    def _one(self, name: str, person: str, source: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Who it is comes from another picture, where there is one: else pose and light came along."""
        others = [other for other in self._pictures[person] if other != name] or [name]
        vector = self.known.vectors[others[whole(0, len(others) - 1, source)]]
        picture, box = read_square(self._path(name), self.side), self.known.boxes[name]
        if self.mirror and happens(0.5, source):
            x1, y1, x2, y2 = box.unbind()
            picture, box = picture.flip(-1), torch.stack([1 - x2, y1, 1 - x1, y2])
        return 2 * picture - 1, vector, box

    def _path(self, name: str) -> Path:
        return self.people.root / name

    def _text(self, name: str) -> str:
        return self.people.caption(self._path(name)) or PLAIN
