"""Draws the demo's pictures by the report's rows, and has them judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..report import rows
from ..report.cases import Case
from ..report.judging import JUDGES
from ..report.measures import cosine
from ..report.rows import Row
from ..report.running import Eyes, draw_row
from ..report.shots import Shots
from ..report.studio import Studio
from ..training.stages import Rooms
from .people import friend, person, wishes

#: What a method's pictures are; the first are shown when nothing else is asked for.
METHODS: dict[str, tuple[str, ...]] = {
    # As its authors use it: with the five points that its adapter alone leaves to chance.
    "instantid": ("instantid_identitynet", "two_people"),
    "arc2face": ("arc2face", "arc2face_expression", "arc2face_reference", "arc2face_pose"),
    "pva": ("pva", "pva_language", "pva_tuned"),
    "emojidiff": ("emojidiff", "emojidiff_instantid"),
    "freecure": ("instantid_copying", "freecure", "freecure_expression"),
    "identities": ("mix", "sampled"),
    "detailer": ("detailer",),
    "repair": ("repair_close", "repair"),
    "prompt": ("sd15", "sdxl"),
}
#: Instead of titles that leave no room for a wish beside them.
_SHORT = {"instantid_copying": "before", "freecure": "FreeCure", "freecure_expression": "with expression"}
#: As people write them.
TITLES = {
    "instantid": "InstantID",
    "arc2face": "Arc2Face",
    "pva": "PVA",
    "emojidiff": "an EmojiDiff-style adapter",
    "freecure": "FreeCure",
    "identities": "identity algebra",
    "detailer": "the face detailer",
    "repair": "repaired people",
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
    known = (*JUDGES, "recogniser")
    if any(not (rooms.models / f"{name}.safetensors").is_file() for name in known):
        return []
    return [method for method in METHODS if _rows(method, rooms)]


def groups(row: Row) -> Sequence[Sequence[Case]]:
    """The demo's person, once for each wish; a picture of two is drawn once."""
    if row.people > 1:
        return [(wishes()[0].case, friend())]
    return [(wish.case, friend())[: row.cases] for wish in wishes()]


def drawn(method: str, studio: Studio, eyes: Eyes) -> list[Picture]:
    """Raises ValueError when nothing of the method is trained."""
    chosen = _rows(method, studio.rooms)
    if not chosen:
        lacks = ", ".join(rows.row(METHODS[method][0]).lacks(studio.rooms))
        raise ValueError(f"The drawn world has no {method} yet: {lacks} is not trained.")
    couples = [row for row in chosen if row.people > 1]
    alone = len(chosen) - len(couples) == 1
    made = []
    for row in sorted(chosen, key=lambda row: row.people):
        some = groups(row)[: len(wishes()) - len(couples) if alone else _FEW]
        named = _SHORT.get(row.name, row.title)
        titles = [wish.title if alone else f"{named}: {wish.title}" for wish in wishes()]
        if row.people > 1:
            titles = ["with somebody else" if row.second == "partner" else row.title]
        made += _pictures(titles, row, draw_row(row, studio, eyes, some))
    return made


def scale(eyes: Eyes) -> tuple[float, float]:
    """Likeness of two true pictures of the person, and of another person's to theirs."""
    own = eyes.reference(person()).vector
    same = [float(cosine(own, eyes.truth(wish.case).vector)) for wish in wishes()]
    other = [
        float(cosine(eyes.reference(friend()).vector, eyes.truth(wish.case).vector)) for wish in wishes()
    ]
    return float(np.mean(same)), float(np.mean(other))


def _pictures(titles: Sequence[str], row: Row, shots: Shots) -> list[Picture]:
    likeness = shots.likeness.reshape(-1, row.people).tolist()
    return [Picture(*one[:2], tuple(one[2])) for one in zip(titles, shots.pictures, likeness, strict=False)]


def _rows(method: str, rooms: Rooms) -> list[Row]:
    if method not in METHODS:
        raise ValueError(f"No method is called {method!r}. There are: {', '.join(METHODS)}.")
    return [row for row in map(rows.row, METHODS[method]) if not row.lacks(rooms)]
