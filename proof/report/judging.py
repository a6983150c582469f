"""Looking at pictures: the real detector finds faces, the judge says who, the classifier what is there, and
the parser whether it is a face at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..networks import classifier, parser, recognisers
from ..networks.classifier import HEADS
from ..networks.crops import JUDGED, batch, crop
from ..training import detected
from ..training.pictures import SIZE
from ..training.running import results
from ..training.stages import Rooms, Tensors
from ..world.captions import Said
from .whole import usual

Picture = NDArray[np.uint8]

#: How sure the detector must be.
_SURE = 0.5
#: What a prompt asks for beside the expression.
ATTRIBUTES = ("hair_style", "hair_colour", "glasses", "hat", "beard", "background")
#: How wide a portrait is in this world, in parts of the eyes' distance.
_PORTRAIT = 4.8

#: The stages whose networks judge.
JUDGES = ("judge", "classifier", "parser")
#: How the parser sees a face of a large picture: as large and high as in portraits.
_PARSED = (SIZE, 0.69)


@dataclass(frozen=True, eq=False)
class Look:
    """What is seen in one person's part of a picture.

    vector float64 [D]: who; zeros without a face. points float64 [5, 2] in pixels of the part at
    SIZE; NaN without a face. choices: of each head of the classifier, by number. expression float64 [5].
    portrait uint8 [SIZE, SIZE, 3]: the face as the parser is to see it; None without one.
    """

    found: bool
    vector: NDArray[np.float64]
    points: NDArray[np.float64]
    choices: dict[str, int]
    expression: NDArray[np.float64]
    portrait: Picture | None

    def attributes_right(self, asked: Said) -> dict[str, bool]:
        return {name: HEADS[name][self.choices[name]] == getattr(asked, name) for name in ATTRIBUTES}


class Judges:
    """The networks that judge. Nothing of them took part in drawing, but the parser in FreeCure's rows."""

    def __init__(self, judge: Tensors, seen: Tensors, parsed: Tensors) -> None:
        self.judge = recognisers.load(judge, judge=True)
        self.classifier = classifier.load(seen)
        self.parser = parser.load(parsed)
        self._detector: Any = None

    @classmethod
    def of(cls, rooms: Rooms) -> Judges:
        made = results(JUDGES, rooms)
        return cls(*(made[name] for name in JUDGES))

    def faces(self, picture: Picture, expected: int = 1) -> list[NDArray[np.float64]]:
        """Points [5, 2] in the picture's pixels of every face, best first.

        One pass of the real detector, and where that sees fewer than are expected all that our nodes do. Each
        face of a large picture is looked at once more by itself, as large as in portraits.
        """
        from likeness.faces.detect import search

        if self._detector is None:
            self._detector = detected.detector()
        large = len(picture) > SIZE
        seen = detected.found(self._detector, picture, 1 if large else detected.SHOWN)
        if len(seen) < expected:
            seen = [face.keypoints.double().numpy() for face in search(self._detector, picture, _SURE)]
        return [self._nearer(picture, points) for points in seen] if large else seen

    def _nearer(self, picture: Picture, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same face's points, found in a portrait of it; those given when it is not found there. In all
        of a picture of 1,024 pixels those of a face of 50 were 0.13 of the eyes' distance off on average, in
        a portrait 0.09."""
        eyes, middle = np.linalg.norm(points[1] - points[0]), points.mean(axis=0)
        scale = SIZE / max(_PORTRAIT * float(eyes), 1.0)
        matrix = np.array([[scale, 0.0, SIZE / 2], [0.0, scale, SIZE / 2]])
        matrix[:, 2] -= scale * middle
        how = {"flags": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REPLICATE}
        portrait = cv2.warpAffine(picture, matrix, (SIZE, SIZE), **how)
        found = [(one - matrix[:, 2]) / scale for one in detected.found(self._detector, portrait)]
        near = [one for one in found if np.linalg.norm(one.mean(axis=0) - middle) < eyes]
        return near[0] if near else points

    @torch.no_grad()
    def look(self, picture: Picture, people: int = 1) -> list[Look]:
        """At one picture [S, S * people, 3], S a multiple of SIZE: from the left, each in their own part."""
        side = picture.shape[0]
        if side % SIZE or picture.shape != (side, side * people, 3):
            raise ValueError(f"A picture of {people} is S x {people} S, S a multiple of {SIZE}.")
        places: list[NDArray[np.float64] | None] = [None] * people
        for points in self.faces(picture, people):
            place = int(np.clip(points[:, 0].mean() // side, 0, people - 1))
            if places[place] is None:
                places[place] = points
        parts = np.stack([_usual(part) for part in np.split(picture, people, axis=1)])
        seen = self.classifier(torch.from_numpy(parts).permute(0, 3, 1, 2).float() / 255)
        return [
            self._look(picture, place, points, {name: value[place] for name, value in seen.items()})
            for place, points in enumerate(places)
        ]

    def _look(
        self,
        picture: Picture,
        place: int,
        points: NDArray[np.float64] | None,
        seen: dict[str, torch.Tensor],
    ) -> Look:
        choices = {name: int(seen[name].argmax()) for name in HEADS}
        expression = seen["expression"].double().numpy()
        if points is None:
            width = int(self.judge.numbers.in_features)
            return Look(False, np.zeros(width), np.full((5, 2), np.nan), choices, expression, None)
        side = picture.shape[0]
        vector = self.judge(batch([crop(picture, points.astype(np.float32), JUDGED)]))[0].double().numpy()
        there = (points - (place * side, 0) + 0.5) * SIZE / side - 0.5
        return Look(True, vector, there, choices, expression, _portrait(picture, place, points))

    @torch.no_grad()
    def whole(self, look: Look) -> bool:
        """Whether it is a face with its parts where they belong. Takes longer than all of the look."""
        if look.portrait is None:
            return False
        shown = torch.from_numpy(look.portrait.copy()).permute(2, 0, 1)[None].float() / 255
        return usual().whole(self.parser.scores(shown).softmax(1)[0].numpy())


def _usual(picture: Picture) -> Picture:
    """As large as the classifier knows pictures."""
    side = picture.shape[0]
    small = picture if side == SIZE else cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small)


def _portrait(picture: Picture, place: int, points: NDArray[np.float64]) -> Picture:
    """One person's part; of a large picture the face alone, for it may be small there."""
    if picture.shape[0] > SIZE:
        return crop(picture, points.astype(np.float32), _PARSED)
    return picture[:, place * SIZE : (place + 1) * SIZE]
