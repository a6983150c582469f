"""How well the faces of pictures fit the places that people were given."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..choices.people import BACK, FRONT, LEFT, MIDDLE, RIGHT
from ..faces.mask_overlap import mask_overlaps
from ..values import Face, Faces
from .value import Cast, Member, Place

#: A face in the right place is worth so much similarity, where places are soft: enough to tell twins apart,
#: less than what lies between two strangers.
WORTH = 0.2


def place_fits(faces: Faces, cast: Cast) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """For each picture (fit, allowed), both [members, faces]: float64 from 0 to 1, and bool.

    A member without a place fits nowhere better (0) and everywhere is allowed. A mask: fit is the part of
    the box in it, allowed is as in mask_overlaps. A word: by the face's rank among all faces of the picture,
    from the left or from the largest; a half of the faces is allowed. Raises ValueError for a mask of
    another size than the pictures.
    """
    rows = [_rows(faces, member) for member in cast.members]
    return [
        (torch.stack([row[n][0] for row in rows]), torch.stack([row[n][1] for row in rows]))
        for n in range(len(faces.faces))
    ]


def _rows(faces: Faces, member: Member) -> list[tuple[torch.Tensor, torch.Tensor]]:
    place = member.place
    if place is None:
        return [
            (torch.zeros(len(found), dtype=torch.float64), torch.ones(len(found), dtype=torch.bool))
            for found in faces.faces
        ]
    if isinstance(place, str):
        return [_by_word(found, place) for found in faces.faces]
    return _by_mask(faces, member.name, place)


def _by_mask(faces: Faces, name: str, mask: Place) -> list[tuple[torch.Tensor, torch.Tensor]]:
    assert not isinstance(mask, str)
    width, height = faces.size
    if tuple(mask.shape) != (height, width):
        raise ValueError(
            f"The place mask of {name} is {mask.shape[1]} x {mask.shape[0]}, but the faces were found in "
            f"pictures of {width} x {height}. Give a mask of the pictures' size. (Load Image gives an empty "
            "mask of 64 x 64 for a picture without transparency.)"
        )
    return [
        (
            torch.tensor([overlap.share for overlap in own], dtype=torch.float64),
            torch.tensor([overlap.counts for overlap in own], dtype=torch.bool),
        )
        for own in mask_overlaps(faces, mask)
    ]


def _by_word(found: Sequence[Face], word: str) -> tuple[torch.Tensor, torch.Tensor]:
    # Ranks at the middles of n equal parts of 0..1: of one face 1/2, of two 1/4 and 3/4.
    along = [-face.area if word in (FRONT, BACK) else float(face.box[0] + face.box[2]) for face in found]
    order = sorted(range(len(found)), key=along.__getitem__)
    rank = torch.zeros(len(found), dtype=torch.float64)
    for position, index in enumerate(order):
        rank[index] = (position + 0.5) / len(found)
    if word == MIDDLE:
        return 1 - (2 * rank - 1).abs(), (rank >= 0.25) & (rank <= 0.75)
    if word in (LEFT, FRONT):
        return 1 - rank, rank <= 0.5
    assert word in (RIGHT, BACK)
    return rank, rank >= 0.5
