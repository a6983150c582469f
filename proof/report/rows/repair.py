"""Damaged true pictures and what Repair Faces makes of them: two people, five people, small faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2

from ...training.pictures import SIZE
from ...world.draw import Drawing, draw
from ...world.scene import Figure
from ..cases import Case
from ..studio import Studio
from .repairing import FILES, FIRST, SECOND, Picture, cast, instead, repaired, row_of
from .row import Draw, Row

#: What is done to pictures of two people, in turn. But for the first the one on the right stays as they are.
DAMAGES = ("swapped", "stranger", "blurred", "shrunk")
#: Of a head in a picture of LARGE pixels a side: the face takes a twentieth of the height.
SMALL, LARGE = 0.06, 8 * SIZE
_BLUR, _SHRUNK = 4.0, 8


def damage(number: int) -> str:
    """Of the picture of the cases from this number on."""
    return DAMAGES[number // 2 % len(DAMAGES)]


def damaged(people: Sequence[Case]) -> Picture:
    """Two people of whom one or both are wrong."""
    first, second = (case.truth for case in people)
    kind = damage(people[0].number)
    if kind == "swapped":
        return row_of([instead(first, second.person), instead(second, first.person)])
    if kind == "stranger":
        return row_of([people[0].stranger, second])
    picture = row_of([first, second])
    left = picture[:, :SIZE]
    if kind == "blurred":
        picture[:, :SIZE] = cv2.GaussianBlur(left, (0, 0), _BLUR)
    else:
        few = cv2.resize(left, (SIZE // _SHRUNK,) * 2, interpolation=cv2.INTER_AREA)
        picture[:, :SIZE] = cv2.resize(few, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    return picture


def turned_round(people: Sequence[Case]) -> Picture:
    """Everybody stands where the one before should."""
    after = [*people[1:], people[0]]
    return row_of([instead(case.truth, other.person) for case, other in zip(people, after, strict=True)])


def close(people: Sequence[Case]) -> Picture:
    return row_of([people[0].stranger])


def far_away(figure: Figure) -> Drawing:
    """As it stands close up, in the middle of a large picture."""
    return draw(replace(figure, pose=replace(figure.pose, size=SMALL, shift=(0.0, 0.0))), LARGE)


def small(people: Sequence[Case]) -> Picture:
    return far_away(people[0].stranger).picture


def _before(make: Callable[[Sequence[Case]], Picture]) -> Callable[[Studio], Draw]:
    return lambda studio: make


def _after(make: Callable[[Sequence[Case]], Picture], judge: str = SECOND) -> Callable[[Studio], Draw]:
    def begin(studio: Studio) -> Draw:
        def drawn(people: Sequence[Case]) -> Picture:
            picture = make(people)
            height, width = picture.shape[:2]
            wanted = cast(studio, people, (height, width))
            return repaired(studio, picture, wanted, people[0].draw_seed, judge)

        return drawn

    return begin


def _pair(
    name: str, title: str, about: str, make: Callable[[Sequence[Case]], Picture], people: int, share: float
) -> tuple[Row, Row]:
    """The row of what is damaged, and of what became of it."""
    shape = {"cases": people, "people": people, "share": share, "table": people < 3}
    second = "partner" if people > 1 else ""
    return (
        Row(f"{name}_before", f"{title}, damaged", about, _before(make), second=second, **shape),  # type: ignore[arg-type]
        Row(name, f"{title}, repaired", "Repair Faces", _after(make), files=FILES, second=second, **shape),  # type: ignore[arg-type]
    )


ROWS = (
    *_pair("repair", "two people", ", ".join(DAMAGES), damaged, 2, 1.0),
    Row(
        "repair_same",
        "two people, repaired, judged by the recogniser that draws",
        "allow_same: what InstantID is told by judges as well",
        _after(damaged, FIRST),
        files=FILES,
        cases=2,
        people=2,
        second="partner",
        share=0.2,
        table=False,
    ),
    *_pair("repair_five", "five people", "everybody stands where another should", turned_round, 5, 1.0),
    *_pair("repair_close", "a close-up", "a stranger in the person's place", close, 1, 0.4),
    *_pair("repair_small", "a face of 5 % of the height", "the same stranger, far away", small, 1, 0.4),
)
