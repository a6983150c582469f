"""Does the instrument measure? Questions whose answers are known before any network has drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ..training.pictures import SIZE
from ..world.draw import Drawing, draw
from . import measures, spoilt
from .cases import Case
from .rows import repair
from .rows.truths import relit
from .running import Eyes
from .shots import Shots

Picture = NDArray[np.uint8]
#: People at most who are asked whether their faces are whole: the parser takes its time.
_FACES = 12


@dataclass(frozen=True)
class Answer:
    """One question, what was measured, and whether that is right (None: there was nothing to ask it of)."""

    name: str
    question: str
    found: str
    right: bool | None


def asked(eyes: Eyes, people: Sequence[Case], shots: Mapping[str, Shots]) -> list[Answer]:
    """All of them: on true pictures of these people, and on what rows have drawn."""
    return [*_pictures(eyes, people), *_faces(eyes, people[:_FACES]), *_chance(shots)]


def _pictures(eyes: Eyes, people: Sequence[Case]) -> list[Answer]:
    def mean(change: Callable[[Case], Picture], name: str) -> measures.Estimate:
        shots = [eyes.shot(eyes.judges.look(change(case))[0], case) for case in people]
        values = np.array([shot[name] for shot in shots])
        return measures.estimate(values, np.array([case.number for case in people]))

    def truth(case: Case) -> Picture:
        return case.truth_drawing.picture

    def mirrored(case: Case) -> Picture:
        return np.ascontiguousarray(truth(case)[:, ::-1])

    def other(case: Case) -> Picture:
        return draw(replace(case.stranger), SIZE).picture

    def blurred(spread: float) -> Callable[[Case], Picture]:
        return lambda case: cv2.GaussianBlur(truth(case), (0, 0), spread).astype(np.uint8)

    def pasted(case: Case) -> Picture:
        return case.reference_drawing.picture

    def far(case: Case) -> Picture:
        return repair.far_away(case.truth).picture

    same, back = mean(truth, "likeness"), mean(mirrored, "likeness")
    little, much = mean(blurred(1.0), "likeness"), mean(blurred(3.0), "likeness")
    floor, small = mean(other, "likeness"), mean(far, "likeness")
    placed = mean(relit, "points")
    copied, true = mean(pasted, "copy_paste"), mean(truth, "copy_paste")
    return [
        Answer("identical", "the same picture is wholly alike: 1", _said(same), same.mean > 0.9999),
        Answer(
            "mirrored",
            "a mirrored face is far more like itself than another person",
            f"{_said(back)} against {_said(floor)}",
            back.low > floor.high,
        ),
        Answer(
            "blurred",
            "the more blurred, the less alike; a little is still the person",
            f"{_said(little)} at 1 pixel, {_said(much)} at 3",
            same.mean > little.mean > much.mean and little.low > floor.high,
        ),
        Answer("other", "another person is not alike: 0.25 at most", _said(floor), abs(floor.mean) < 0.25),
        Answer(
            "small",
            "a face of 5 % of the height is who it is: 0.9 of likeness at least",
            _said(small),
            small.mean >= 0.9,
        ),
        Answer(
            "points",
            "in another light the points are where they were: 0.06 of the eyes' distance at most",
            _said(placed),
            placed.mean <= 0.06,
        ),
        Answer(
            "pasted", "the reference handed back: copy-paste 1", _said(copied), abs(copied.mean - 1) < 1e-3
        ),
        Answer("truth", "the truth handed back: copy-paste -1", _said(true), abs(true.mean + 1) < 1e-3),
    ]


def _faces(eyes: Eyes, people: Sequence[Case]) -> list[Answer]:
    """Whether a measure of whole faces sees what an eye sees."""

    def part(spoil: Callable[[Drawing], Picture]) -> float:
        looks = [eyes.judges.look(spoil(case.truth_drawing))[0] for case in people]
        return float(np.mean([eyes.judges.whole(look) for look in looks]))

    true, one_eye, none = part(lambda drawing: drawing.picture), part(spoilt.one_eyed), part(spoilt.smeared)
    exchanged = part(spoilt.turned_halves)
    return [
        Answer("whole", "true pictures are whole faces: 9 of 10 at least", f"{true:.0%}", true >= 0.9),
        Answer(
            "one_eye",
            "with one eye painted over they are not: 1 of 3 at most",
            f"{one_eye:.0%}",
            one_eye <= 1 / 3,
        ),
        Answer("smeared", "nor with a smeared middle: 1 of 10 at most", f"{none:.0%}", none <= 0.1),
        Answer(
            "halves", "nor with each half mirrored: 1 of 10 at most", f"{exchanged:.0%}", exchanged <= 0.1
        ),
    ]


def _chance(shots: Mapping[str, Shots]) -> list[Answer]:
    """Two runs that differ in nothing but noise must not differ; how many people show a difference of .02."""
    if "instantid" not in shots or "instantid_again" not in shots:
        return [Answer("noise", "the same row from other noise does not differ", "not drawn", None)]
    first, again = shots["instantid"], shots["instantid_again"]
    difference = first.likeness - again.likeness
    apart = measures.estimate(difference, first.people)
    spread = float(np.std(difference, ddof=1))
    people = measures.needed(spread)
    return [
        Answer(
            "noise",
            "the same row from other noise does not differ: the interval holds 0",
            _said(apart),
            apart.low <= 0 <= apart.high,
        ),
        Answer(
            "power",
            "how many people show a difference of .02 in likeness (4 times in 5)",
            f"{people}; with these {len(difference)}, a difference of {_shown(spread, len(difference)):.3f}",
            True,
        ),
    ]


def _shown(spread: float, people: int) -> float:
    """The difference that so many people show."""
    return spread * (measures.needed(1.0, 1e-3) ** 0.5 * 1e-3) / people**0.5


def _said(one: measures.Estimate) -> str:
    return f"{one.mean:.3f} ({one.low:.3f} to {one.high:.3f})"
