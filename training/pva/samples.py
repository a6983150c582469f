"""One step's pictures, holes, references and texts, drawn by the step's number alone. Spec A.5 "Sample"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch.utils.data import Dataset

from likeness.choices.pva import PLACEHOLDER
from likeness.faces.holes import strokes
from likeness.faces.references import face_crop
from likeness.methods.pva.learning import mirrored

from ..chance import generator, happens, place, whole
from ..people import People, Person
from ..pictures import read_mask, read_square
from .boxes import Boxes
from .lesson import Batch

PLAIN = f"photo of a {PLACEHOLDER} person"
#: At most so many references; the chance that a mirrored one joins them; that a text is plain.
REFERENCES, _EXTRA, _PLAIN = 5, 0.2, 0.5


@dataclass(frozen=True, eq=False)
class Samples(Dataset[Batch]):
    """Batch n is what step n of one process learns from: always the same for the same numbers.

    persons: of the people. count: pictures in a batch. side: of a picture, in pixels. masks: free-form ones,
    white where the hole is; without any, brush strokes are drawn. process, processes: whose share.
    """

    people: People
    persons: Sequence[Person]
    boxes: Boxes
    count: int
    side: int
    masks: Sequence[Path] = ()
    seed: int = 0
    process: int = 0
    processes: int = 1

    @cached_property
    def targets(self) -> list[tuple[Person, Path]]:
        return [(person, picture) for person in self.persons for picture in person.pictures]

    def __getitem__(self, number: int) -> Batch:
        source = generator("sample", self.seed, number, self.process)
        chosen = [self._target(number, i) for i in range(self.count)]
        others = [_shuffled([p for p in person.pictures if p != own], source) for person, own in chosen]
        kept = min(whole(1, REFERENCES, source), *map(len, others))
        extra = happens(_EXTRA, source)
        drawn = [self._pair(picture, source) for _, picture in chosen]
        faces = torch.stack([self._faces(paths[:kept], extra, source) for paths in others])
        texts = [self._text(picture, source) for _, picture in chosen]
        both = torch.stack(drawn)
        return Batch(2 * both[:, :3] - 1, both[:, 3:], faces, texts)

    def _target(self, number: int, i: int) -> tuple[Person, Path]:
        position = (number * self.processes + self.process) * self.count + i
        return self.targets[place(position, len(self.targets), self.seed)]

    def _pair(self, picture: Path, source: torch.Generator) -> torch.Tensor:
        """Picture and hole, mirrored together: [4, side, side]."""
        pixels = read_square(picture, self.side, self.side // 2)
        hole = torch.maximum(
            self.boxes.hole(self.people.name(picture), self.side, source), self._freeform(source)
        )
        return mirrored(torch.cat([pixels, hole[None]])[None], source)[0]

    def _freeform(self, source: torch.Generator) -> torch.Tensor:
        if self.masks:
            return read_mask(self.masks[whole(0, len(self.masks) - 1, source)], self.side)
        return strokes(self.side, self.side, whole(0, 2**31 - 1, source))

    def _faces(self, pictures: Sequence[Path], extra: bool, source: torch.Generator) -> torch.Tensor:
        """What the face encoder sees, [n, 3, 112, 112] from -1 to 1; extra: the last once more, mirrored."""
        whole_pictures = torch.stack([read_square(path, self.side, self.side // 2) for path in pictures])
        turned = mirrored(whole_pictures, source)
        if extra:
            turned = torch.cat([turned, turned[-1:].flip(-1)])
        return face_crop(2 * turned - 1)

    def _text(self, picture: Path, source: torch.Generator) -> str:
        caption, plain = self.people.caption(picture), happens(_PLAIN, source)
        return PLAIN if plain or not caption else f"{PLAIN}. {caption}"


def _shuffled(paths: Sequence[Path], source: torch.Generator) -> list[Path]:
    return [paths[i] for i in torch.randperm(len(paths), generator=source).tolist()]
