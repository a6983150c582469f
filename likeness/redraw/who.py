"""Who every face of a picture is, who it should be, and whether that is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ..cast import Cast, Seats, assign, assign_tracked, everybody_seated
from ..faces.detect import detect
from ..faces.embed import embed
from ..faces.models import FaceNetworks
from ..identity import cosines
from ..values import Face, Faces, Identity

#: A face is taken for a missing person among strangers, when it is as like them as this part of the bar: a
#: face that is only damaged is still far more like its person than a stranger (whose cosine is about 0).
_DOUBT = 0.5
#: A similarity has to be higher by more than what a measurement repeats to.
BETTER = 1e-4


@dataclass(frozen=True, eq=False)
class Verdict:
    """A face that is, or should be, somebody's. place: among the picture's faces. like: whose of the cast it
    is rather, or "". right: it reaches the bar and is nobody else's.
    """

    picture: int
    place: int
    name: str
    face: Face
    similarity: float
    like: str
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
    face that resembles them. A face at somebody's hard place that is more like another of the cast is wrong,
    however like: it is that other one's. Elsewhere the assignment has settled that already. at_least: a
    cosine of `recogniser`. Raises ValueError.
    """
    faces = embed(models, detect(models, images), recogniser)
    way = assign_tracked if tracked else assign
    verdicts: list[Verdict] = []
    missing: list[tuple[int, str]] = []
    strangers = 0
    for picture, row in enumerate(way(faces, cast, recogniser, at_least, hard_places).pictures):
        here = faces.faces[picture]
        strangers += len(here)
        for name, found in _people(cast, everybody_seated(row), at_least, hard_places).items():
            if found is None:
                missing.append((picture, name))
                continue
            place, similarity, like = found
            right = is_right(similarity, like, at_least)
            verdicts.append(Verdict(picture, place, name, here[place], similarity, like, right))
            strangers -= 1
    return Judged(faces, tuple(verdicts), tuple(missing), strangers)


def similarities(
    models: FaceNetworks, picture: torch.Tensor, face: Face, cast: Mapping[str, Identity], recogniser: str
) -> dict[str, float]:
    """How like everybody of a cast a face of a picture [1, H, W, C] is. cast: who they are in the
    recogniser's eyes; it has not looked at the face yet."""
    seen = embed(models, Faces(picture, ((face,),)), recogniser).faces[0][0]
    vector = [seen.embeddings[recogniser]]
    return {name: cosines(name, one, vector)[0] for name, one in cast.items()}


def more_like(name: str, similarities: Mapping[str, float], at_least: float) -> str:
    """Whose of the cast a face is rather than that of who is named: most like them, and at the bar; "" for
    nobody's."""
    best = max(similarities, key=lambda one: similarities[one])
    return best if similarities[best] > max(similarities[name] + BETTER, at_least) else ""


def is_right(similarity: float, like: str, at_least: float) -> bool:
    """like: as in more_like."""
    return similarity >= at_least and not like


def _people(
    cast: Cast, seats: Seats, at_least: float, hard_places: bool
) -> dict[str, tuple[int, float, str] | None]:
    """Each member's face in a picture, its similarity, and whose it is rather; or None."""
    # More faces than people: somebody unknown is in the picture.
    crowd = seats.similarities.shape[1] > len(cast.members)
    result: dict[str, tuple[int, float, str] | None] = {}
    for n, (member, one) in enumerate(zip(cast.members, seats.people, strict=True)):
        face, similarity = one.face, one.similarity
        if face is None or similarity is None:
            result[member.name] = None
            continue
        sure = one.recognised or one.followed or similarity >= _DOUBT * at_least
        put = member.place is not None and bool(seats.fits.at_place[n, face])
        if not (sure or put or not crowd):
            result[member.name] = None
            continue
        everybody = dict(zip(cast.names, seats.similarities[:, face].tolist(), strict=True))
        placed = hard_places and member.place is not None
        result[member.name] = face, similarity, more_like(member.name, everybody, at_least) if placed else ""
    return result
