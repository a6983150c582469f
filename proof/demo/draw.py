"""Draws the demo's pictures by the report's rows, and has them judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..report import rows
from ..report.cases import Case, together
from ..report.measures import cosine
from ..report.rows import Row
from ..report.running import Eyes
from ..report.studio import Studio
from ..training.stages import Rooms
from .people import friend, person, wishes

#: What a method's pictures are; the first are shown when nothing else is asked for.
METHODS: dict[str, tuple[str, ...]] = {
    "instantid": ("instantid", "two_people"),
    "arc2face": ("arc2face", "arc2face_expression", "arc2face_reference", "arc2face_pose"),
    "pva": ("pva", "pva_language", "pva_tuned"),
    "emojidiff": ("emojidiff", "emojidiff_instantid"),
    "freecure": ("freecure", "freecure_expression"),
    "identities": ("mix", "sampled"),
    "detailer": ("detailer",),
    "prompt": ("sd15", "sdxl"),
}
#: As people write them.
TITLES = {
    "instantid": "InstantID",
    "arc2face": "Arc2Face",
    "pva": "PVA",
    "emojidiff": "an EmojiDiff-style adapter",
    "freecure": "FreeCure",
    "identities": "identity algebra",
    "detailer": "the face detailer",
    "prompt": "the prompt alone",
}
#: When the first row of a method is alone it shows six pictures; with others each shows so many.
_FEW = 3


@dataclass(frozen=True, eq=False)
class Picture:
    """likeness: of each person in it, to how they truly look there."""

    title: str
    picture: NDArray[np.uint8]
    likeness: tuple[float, ...]


def ready(rooms: Rooms) -> list[str]:
    """Methods of which something can be drawn, as their networks are there."""
    known = ("judge", "classifier", "recogniser")
    if any(not (rooms.models / f"{name}.safetensors").is_file() for name in known):
        return []
    return [method for method in METHODS if _rows(method, rooms)]


def drawn(method: str, studio: Studio, eyes: Eyes) -> list[Picture]:
    """Raises ValueError when nothing of the method is trained."""
    chosen = _rows(method, studio.rooms)
    if not chosen:
        lacks = ", ".join(rows.row(METHODS[method][0]).lacks(studio.rooms))
        raise ValueError(f"The drawn world has no {method} yet: {lacks} is not trained.")
    asked = wishes()
    made = []
    singles = [row for row in chosen if row.people == 1]
    couples = [row for row in chosen if row.people == 2]
    for row in singles:
        some = asked[: len(asked) - len(couples) if len(singles) == 1 else _FEW]
        titles = [wish.title if len(singles) == 1 else f"{row.title}: {wish.title}" for wish in some]
        made += _pictures(titles, row, studio, [(wish.case, friend())[: row.cases] for wish in some], eyes)
    for row in couples:
        pair = (asked[0].case, friend())
        group = together(pair) if row.second == "partner" else pair
        title = "with somebody else" if row.second == "partner" else row.title
        made += _pictures([title], row, studio, [group], eyes)
    return made


def scale(eyes: Eyes) -> tuple[float, float]:
    """Likeness of two true pictures of the person, and of another person's to theirs."""
    own = eyes.reference(person()).vector
    same = [float(cosine(own, eyes.truth(wish.case).vector)) for wish in wishes()]
    other = [
        float(cosine(eyes.reference(friend()).vector, eyes.truth(wish.case).vector)) for wish in wishes()
    ]
    return float(np.mean(same)), float(np.mean(other))


def _pictures(
    titles: Sequence[str], row: Row, studio: Studio, groups: Sequence[Sequence[Case]], eyes: Eyes
) -> list[Picture]:
    drawn: list[NDArray[np.uint8]] = []
    with torch.inference_mode(mode=not row.learns):
        draw = row.begin(studio)
        for first in range(0, len(groups), row.at_once):
            drawn += row.pictures(draw, groups[first : first + row.at_once])
    made = []
    for title, picture, group in zip(titles, drawn, groups, strict=True):
        looks = eyes.judges.look(picture, row.people)
        pairs = zip(looks, group, strict=False)
        likeness = [float(cosine(look.vector, eyes.truth(case).vector)) for look, case in pairs]
        made.append(Picture(title, picture, tuple(likeness)))
    return made


def _rows(method: str, rooms: Rooms) -> list[Row]:
    if method not in METHODS:
        raise ValueError(f"No method is called {method!r}. There are: {', '.join(METHODS)}.")
    return [row for row in map(rows.row, METHODS[method]) if not row.lacks(rooms)]
