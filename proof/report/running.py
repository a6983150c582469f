"""Draws a row's pictures, looks at them, and keeps what was measured."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .. import host_files
from ..networks.classifier import EXPRESSION
from ..training.pictures import world
from ..training.stages import Rooms
from . import measures, sources
from .cases import Case, cases, grouped, several, together
from .judging import ATTRIBUTES, JUDGES, Judges, Look
from .rows import Row
from .shots import Shots
from .studio import Studio

log = logging.getLogger(__name__)

#: So many pictures of each row are kept to be shown.
KEPT = 8
#: Of the people, at least: a share of few is nobody.
_LEAST = 8


class Eyes:
    """The judges, and what they see in the cases' true pictures, looked at once."""

    def __init__(self, judges: Judges) -> None:
        self.judges = judges
        self._seen: dict[tuple[Case, str], Look] = {}

    def truth(self, case: Case) -> Look:
        return self._true(case, "truth", lambda: case.truth_drawing.picture)

    def reference(self, case: Case) -> Look:
        return self._true(case, "reference", lambda: case.reference_drawing.picture)

    def _true(self, case: Case, kind: str, draw: Callable[[], NDArray[np.uint8]]) -> Look:
        key = case, kind
        if key not in self._seen:
            self._seen[key] = self.judges.look(draw())[0]
        return self._seen[key]

    def shot(self, look: Look, case: Case) -> dict[str, Any]:
        """What one look says of one person."""
        truth, reference = self.truth(case), self.reference(case)
        right = list(look.attributes_right(case.asked).values())
        asked = np.array([getattr(case.truth.expression, name) for name in EXPRESSION])
        three = look.vector, truth.vector, reference.vector
        known = look.found and truth.found and reference.found
        return {
            "people": case.number,
            "found": look.found,
            "likeness": float(measures.cosine(look.vector, truth.vector)) if truth.found else np.nan,
            "reference": float(measures.cosine(look.vector, reference.vector)) if reference.found else np.nan,
            "copy_paste": float(measures.copy_paste(*three)) if known else np.nan,
            "expression": float(np.abs(look.expression - asked).mean()),
            "attributes": float(np.mean(right)),
            "right": right,
            "points": float(measures.points_error(look.points, truth.points)) if known else np.nan,
            "second": np.nan,
            "reading": np.nan,
        }


def groups_of(row: Row, count: int) -> Sequence[Sequence[Case]]:
    """Whom a row's pictures show, of so many people (or the row's share of them)."""
    people = cases(min(count, max(_LEAST, round(count * row.share))), row.seed_shift)
    pictures = [one for case in people for one in several(case, row.each)]
    return grouped(pictures, row.cases, apart=row.people > 1)


def draw_row(row: Row, studio: Studio, eyes: Eyes, groups: Sequence[Sequence[Case]]) -> Shots:
    """A picture of each group, and what is seen in it."""
    if row.second == "partner":
        groups = [together(group) for group in groups]
    draw = row.begin(studio)
    shots: list[dict[str, Any]] = []
    seconds: list[float] = []
    pictures: list[NDArray[np.uint8]] = []
    for first in range(0, len(groups), row.at_once):
        some = groups[first : first + row.at_once]
        began = time.process_time()  # a busy machine makes no method slower
        with torch.inference_mode(mode=not row.learns):
            drawn = row.pictures(draw, some)
        seconds += [(time.process_time() - began) / len(some)] * len(some)
        pictures += drawn[: KEPT - len(pictures)]
        for picture, group in zip(drawn, some, strict=True):
            looks = eyes.judges.look(picture, row.people)
            group = [group[0]] * row.people if row.same else group
            made = [eyes.shot(look, case) for look, case in zip(looks, group, strict=False)]
            for shot, look in zip(made, looks, strict=False):
                shot["whole"] = eyes.judges.whole(look)
                if row.reads:
                    shot["reading"] = float(look.expression[EXPRESSION.index(row.reads)])
            _second(row, made, looks, group, eyes)
            shots += made
        if len(seconds) // 24 > first // 24:
            log.info(
                "%s: %d of %d, %.2f s each", row.name, len(seconds), len(groups), float(np.mean(seconds))
            )
    arrays: dict[str, Any] = {name: np.array([shot[name] for shot in shots]) for name in shots[0]}
    return Shots(**arrays, seconds=np.array(seconds), pictures=np.stack(pictures))


def _second(
    row: Row, shots: list[dict[str, Any]], looks: Sequence[Look], group: Sequence[Case], eyes: Eyes
) -> None:
    if row.second == "twin":
        alike = float(measures.cosine(looks[0].vector, looks[1].vector))
        for shot in shots:
            shot["second"] = alike
    elif row.second == "middle":
        middle = looks[len(looks) // 2].vector
        for shot, look in zip(shots, looks, strict=True):
            shot["second"] = float(measures.cosine(look.vector, middle))
    elif row.second:
        for place, shot in enumerate(shots):
            others = [eyes.truth(case).vector for n, case in enumerate(group) if n != place]
            shot["second"] = max(float(measures.cosine(looks[place].vector, other)) for other in others)


def shots_of(
    row: Row,
    begin: Callable[[], tuple[Studio, Eyes]],
    rooms: Rooms,
    steps: int,
    groups: Sequence[Sequence[Case]],
    whom: str,
) -> Shots:
    """From the cache when nothing has changed since, else drawn and put there. begin: if need be. whom: a
    name of the groups."""
    file = rooms.cache / "report" / f"{row.name}-{whom}-{steps}-{key(row, rooms)}.npz"
    if file.is_file():
        with np.load(file) as kept:
            return Shots(**{field.name: kept[field.name] for field in fields(Shots)})
    studio, eyes = begin()
    began = time.process_time()
    shots = draw_row(row, studio, eyes, groups)
    spent = time.process_time() - began
    log.info("%s: drawn, %.0f s of a processor, likeness %.3f", row.name, spent, shots.likeness.mean())
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")
    with part.open("wb") as written:
        np.savez_compressed(written, **{field.name: getattr(shots, field.name) for field in fields(Shots)})
    os.replace(part, file)
    return shots


def key(row: Row, rooms: Rooms) -> str:
    """Changes with the code that draws and looks, the world, and the networks that take part."""
    parts = [world(), *(host_files.digest(path) for path in sources.of(row.name))]
    for stage in sorted({*row.needs(), *JUDGES}):
        parts.append(host_files.digest(host_files.stage_file(stage, rooms)))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def rates(shots: Mapping[str, Shots], row: str) -> dict[str, float]:
    """Each attribute's part that is right, for the JSON."""
    return {name: round(float(shots[row].right[:, n].mean()), 4) for n, name in enumerate(ATTRIBUTES)}
