"""Who every face of a picture is, who it should be, and whether that is right."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..cast import Cast, Seats, assign, assign_tracked
from ..faces.detect import detect
from ..faces.embed import embed
from ..faces.models import FaceNetworks
from ..values import Face, Faces

#: A face is taken for a missing person among strangers, when it is as like them as this part of the bar: a
#: face that is only damaged is still far more like its person than a stranger (whose cosine is about 0).
_DOUBT = 0.5


@dataclass(frozen=True, eq=False)
class Verdict:
    """A face that is, or should be, somebody's. place: among the picture's faces. right: it reaches the
    bar.
    """

    picture: int
    place: int
    name: str
    face: Face
    similarity: float
    right: bool


@dataclass(frozen=True, eq=False)
class Judged:
    """faces: all of every picture, with the judge's vectors. missing: (picture, name) of those without a
    face that is or should be theirs. strangers: how many faces are nobody's."""

    faces: Faces
    verdicts: tuple[Verdict, ...]
    missing: tuple[tuple[int, str], ...]
    strangers: int

    @property
    def wrong(self) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.verdicts if not verdict.right)


def judge(
    models: FaceNetworks,
    images: torch.Tensor,
    cast: Cast,
    recogniser: str,
    at_least: float,
    hard_places: bool = True,
    tracked: bool = False,
) -> Judged:
    """Look at an IMAGE [B, H, W, C]: one detection for each picture, one embedding for each face.

    First everybody takes the face that is rightly theirs. Then who is missing takes of the rest the one that
    should be theirs: at their place, or the only ones left; among more strangers than missing people only a
    face that resembles them. at_least: a cosine of `recogniser`. Raises ValueError.
    """
    faces = embed(models, detect(models, images), recogniser)
    everyone = assign(faces, cast, recogniser, at_least, hard_places, everybody=True)
    followed = assign_tracked(faces, cast, recogniser, at_least, hard_places) if tracked else None
    verdicts: list[Verdict] = []
    missing: list[tuple[int, str]] = []
    strangers = 0
    for picture, seats in enumerate(everyone.pictures):
        row = None if followed is None else followed.pictures[picture]
        here = faces.faces[picture]
        strangers += len(here)
        for name, found in _people(cast, seats, row, at_least).items():
            if found is None:
                missing.append((picture, name))
                continue
            place, similarity = found
            verdicts.append(Verdict(picture, place, name, here[place], similarity, similarity >= at_least))
            strangers -= 1
    return Judged(faces, tuple(verdicts), tuple(missing), strangers)


def _people(
    cast: Cast, seats: Seats, followed: Seats | None, at_least: float
) -> dict[str, tuple[int, float] | None]:
    """Each member's face in a picture and its similarity, or None."""
    count = seats.similarities.shape[1]
    sure = {n: one.face for n, one in enumerate(seats.people) if one.recognised and one.face is not None}
    if followed is not None:
        sure |= {n: one.face for n, one in enumerate(followed.people) if one.face is not None}
    # More faces are left than people: somebody unknown is in the picture.
    crowd = count - len(sure) > len(cast.members) - len(sure)
    result: dict[str, tuple[int, float] | None] = {}
    for n, (member, one) in enumerate(zip(cast.members, seats.people, strict=True)):
        face = sure.get(n)
        if face is None and one.face is not None and one.face not in sure.values():
            resembles = float(seats.similarities[n, one.face]) >= _DOUBT * at_least
            face = one.face if resembles or not crowd or member.place is not None else None
        result[member.name] = None if face is None else (face, float(seats.similarities[n, face]))
    return result
