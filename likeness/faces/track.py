"""The same people through the pictures of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..values import Face

#: Boxes in two pictures that share so much of what both cover belong to one person.
LEAST_OVERLAP = 0.3
_NEVER = -1e3


@dataclass(frozen=True)
class Match:
    """A person found again: the place among the picture's faces, and how well it fits (0..1)."""

    place: int
    score: float


class _Likeness:
    """Somebody by vectors: what the faces seen so far have in common."""

    def __init__(self, face: Face, recogniser: str) -> None:
        self._recogniser = recogniser
        self._seen = self._unit(face)

    def _unit(self, face: Face) -> torch.Tensor:
        return F.normalize(face.embeddings[self._recogniser], dim=0)

    def scores(self, faces: Sequence[Face]) -> torch.Tensor:
        return torch.stack([self._unit(face) for face in faces]) @ F.normalize(self._seen, dim=0)

    def see(self, face: Face) -> None:
        self._seen = self._seen + self._unit(face)


class _Place:
    """Somebody by the last box."""

    def __init__(self, face: Face) -> None:
        self._box = face.box

    def scores(self, faces: Sequence[Face]) -> torch.Tensor:
        from torchvision.ops import box_iou

        return box_iou(self._box[None], torch.stack([face.box for face in faces]))[0]

    def see(self, face: Face) -> None:
        self._box = face.box


def follow(
    pictures: Sequence[Sequence[Face]],
    start: int,
    places: Sequence[int],
    recogniser: str | None,
    min_similarity: float,
) -> list[list[Match]]:
    """Where the people at `places` of picture `start` are in each picture, in their order; both ways.

    recogniser: compare its vectors, which every face has (cosine with the faces of the person seen so far,
    at least min_similarity). None: compare boxes with the last one (intersection over union, at least
    LEAST_OVERLAP). A person who is not found is left out of that picture and looked for in the next.
    """
    found: list[list[Match]] = [[] for _ in pictures]
    found[start] = [Match(place, 1.0) for place in places]
    least = LEAST_OVERLAP if recogniser is None else min_similarity
    for way in (range(start + 1, len(pictures)), range(start - 1, -1, -1)):
        chosen = [pictures[start][place] for place in places]
        people: list[_Likeness | _Place] = [
            _Place(face) if recogniser is None else _Likeness(face, recogniser) for face in chosen
        ]
        for index in way:
            found[index] = _find(people, pictures[index], least)
    return found


def _find(people: Sequence[_Likeness | _Place], faces: Sequence[Face], least: float) -> list[Match]:
    """Gives each person the face that fits, no face to two, so that the sum of the scores is largest."""
    from scipy.optimize import linear_sum_assignment

    if not faces:
        return []
    scores = torch.stack([person.scores(faces) for person in people])
    allowed = torch.where(scores >= least, scores, _NEVER)
    matches = []
    for person, place in zip(*linear_sum_assignment(allowed.numpy(), maximize=True), strict=True):
        if scores[person, place] >= least:
            people[person].see(faces[place])
            matches.append(Match(int(place), float(scores[person, place])))
    return matches
