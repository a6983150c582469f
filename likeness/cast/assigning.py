"""Which face is whose: the one way to give faces to people that fits best as a whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch

from ..identity import cosines
from ..values import Faces, recogniser_text
from .places import WORTH, place_fits
from .value import Cast

#: What giving a person nobody is worth: a hair less than a face that just reaches the bar.
_NOBODY = -1e-9
_NEVER = -1e3


@dataclass(frozen=True)
class Found:
    """Where somebody is in one picture.

    face: the place among the picture's faces, or None. similarity: of that face to them (cosine); without
    one that of the face most like them, or None where there is no face at all. margin: by how much the
    similarity is above the next best answer: this face for another member, or another face for this person;
    None without a face or without another answer. recognised: the face reaches the bar. followed: it
    does not, but was followed from another picture.
    """

    face: int | None
    similarity: float | None
    margin: float | None = None
    recognised: bool = False
    followed: bool = False


@dataclass(frozen=True, eq=False)
class Fits:
    """Every face of a picture with every member, [members, faces] each.

    similarities float64: cosines. worth float64: the same, with what soft places add. at_place bool: the
    face is where the member was put; anywhere for a member without a place. allowed bool: the face may be
    theirs, which only hard places forbid.
    """

    similarities: torch.Tensor
    worth: torch.Tensor
    at_place: torch.Tensor
    allowed: torch.Tensor


@dataclass(frozen=True, eq=False)
class Seats:
    """One picture. people: in the order of the cast. strangers: places of faces that are nobody's."""

    people: tuple[Found, ...]
    strangers: tuple[int, ...]
    fits: Fits

    @property
    def similarities(self) -> torch.Tensor:
        """[members, faces] float64, every face with every member."""
        return self.fits.similarities

    @property
    def missing(self) -> tuple[int, ...]:
        """Places in the cast of those who have no face here."""
        return tuple(n for n, found in enumerate(self.people) if found.face is None)


@dataclass(frozen=True)
class Assignment:
    """names: of the cast. pictures: one Seats for each picture of the faces, in their order."""

    names: tuple[str, ...]
    recogniser: str
    at_least: float
    pictures: tuple[Seats, ...]

    @property
    def found(self) -> int:
        """Faces that are somebody's, in all pictures."""
        return sum(one.face is not None for seats in self.pictures for one in seats.people)

    @property
    def missing(self) -> int:
        return sum(len(seats.missing) for seats in self.pictures)

    @property
    def strangers(self) -> int:
        return sum(len(seats.strangers) for seats in self.pictures)


def assign(
    faces: Faces,
    cast: Cast,
    recogniser: str,
    at_least: float,
    hard_places: bool = False,
) -> Assignment:
    """Give each person of the cast at most one face of each picture, and no face to two.

    Of all ways to do that, the one whose similarities lie highest above `at_least` in sum. A face
    below it is nobody's. Places: hard ones exclude the faces elsewhere; soft ones add up to WORTH to the
    similarity in that sum, not at the bar.

    The faces carry vectors of `recogniser` (faces.embed). Pictures don't know of each other. Raises
    ValueError for a face without a vector, a recogniser that not every member has, a mask of another size.
    """
    targets = [cast.target(name, recogniser) for name in cast.names]
    without = sum(recogniser not in face.embeddings for found in faces.faces for face in found)
    if without:
        raise ValueError(
            f"{without} of the faces carry no vector of {recogniser_text(recogniser)}: connect face_models "
            "that have this recogniser."
        )
    pictures = []
    for found, (fit, allowed) in zip(faces.faces, place_fits(faces, cast), strict=True):
        vectors = [face.embeddings[recogniser] for face in found]
        rows = [cosines(name, target, vectors) for name, target in zip(cast.names, targets, strict=True)]
        similarities = torch.tensor(rows, dtype=torch.float64).reshape(len(targets), len(found))
        may = allowed if hard_places else torch.ones_like(allowed)
        worth = similarities + (0 if hard_places else WORTH * fit)
        fits = Fits(similarities, worth, allowed, may)
        recognised = best_pairs(worth - at_least, may & (similarities >= at_least))
        pictures.append(seats(fits, recognised, recognised))
    return Assignment(cast.names, recogniser, at_least, tuple(pictures))


def best_pairs(worth: torch.Tensor, allowed: torch.Tensor) -> dict[int, int]:
    """Rows to columns of worth [N, M] float64, so that the sum is largest; rows may stay without.

    Only pairs that are allowed [N, M] bool count; staying without is worth 0.
    """
    from scipy.optimize import linear_sum_assignment

    people, faces = worth.shape
    nobody = torch.full((people, people), _NOBODY, dtype=torch.float64)
    gains = torch.cat([torch.where(allowed, worth, _NEVER), nobody], dim=1)
    rows, columns = linear_sum_assignment(gains.numpy(), maximize=True)
    return {int(row): int(column) for row, column in zip(rows, columns, strict=True) if column < faces}


def everybody_seated(row: Seats) -> Seats:
    """People who are missing get the best of the faces that were left, by similarity and place; they are
    neither recognised nor followed.
    """
    given = {n: one.face for n, one in enumerate(row.people) if one.face is not None}
    left = row.fits.allowed.clone()
    left[list(given)] = False
    left[:, list(given.values())] = False
    # Above 0 whatever the similarity: any face is better than none.
    guessed = best_pairs(row.fits.worth + 2, left)
    recognised = {n for n, one in enumerate(row.people) if one.recognised}
    followed = {n for n, one in enumerate(row.people) if one.followed}
    return seats(row.fits, given | guessed, recognised, followed) if guessed else row


def seats(
    fits: Fits, given: Mapping[int, int], recognised: Collection[int], followed: Collection[int] = ()
) -> Seats:
    """A picture from who has which face: places of members to places of faces."""
    similarities = fits.similarities
    people, faces = similarities.shape
    found = tuple(
        Found(
            given[n],
            float(similarities[n, given[n]]),
            _margin(similarities, n, given[n]),
            n in recognised,
            n in followed,
        )
        if n in given
        else Found(None, float(similarities[n].max()) if faces else None)
        for n in range(people)
    )
    strangers = tuple(n for n in range(faces) if n not in given.values())
    return Seats(found, strangers, fits)


def _margin(similarities: torch.Tensor, person: int, face: int) -> float | None:
    """Above the next best answer: the same face as another member, or another face as this one."""
    row, column = similarities[person].tolist(), similarities[:, face].tolist()
    others = [s for n, s in enumerate(row) if n != face] + [s for n, s in enumerate(column) if n != person]
    return float(similarities[person, face]) - max(others) if others else None
