"""Rows that show one person at several steps, damaged pictures, and what is claimed of both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.report_shots import shots

from proof.report import claims
from proof.report.cases import Case
from proof.report.rows import repair, row
from proof.report.shots import Shots

SIDE = 128


def stepped(steps: int, count: int = 4, **values: Any) -> Shots:
    """values: of each step, the same for everybody."""
    given = {name: np.tile(np.asarray(one, float), count) for name, one in values.items()}
    made = shots(count * steps, seconds=np.ones(count), people=np.repeat(np.arange(count), steps))
    for name, value in given.items():
        object.__setattr__(made, name, value)
    return made


def verdict(name: str, there: dict[str, Shots]) -> claims.Verdict:
    return claims.verdicts(there)[name]


def test_steps_are_those_of_each_picture() -> None:
    made = stepped(3, reading=[0.1, 0.2, 0.6])
    assert made.steps("reading").shape == (4, 3)
    assert made.estimate("rise").mean == pytest.approx(0.5) and made.estimate("rise").count == 4
    assert [one.mean for one in made.by_step("reading")] == pytest.approx([0.1, 0.2, 0.6])
    assert np.isnan(shots(reading=np.nan).estimate("rise").mean)


@pytest.mark.parametrize(
    ("smiles", "alike", "holds"),
    [
        ([-0.5, -0.2, 0, 0.2, 0.5], [0.91, 0.95, 1, 0.95, 0.92], True),
        ([-0.5, 0.1, 0, 0.2, 0.5], [0.91, 0.95, 1, 0.95, 0.92], False),
        ([-0.5, -0.2, 0, 0.2, 0.5], [0.8, 0.95, 1, 0.95, 0.92], False),
        ([0, 0, 0, 0, 0], [1, 1, 1, 1, 1], False),
    ],
)
def test_a_direction_must_move_step_by_step_and_keep_who_it_was(
    smiles: list[float], alike: list[float], holds: bool
) -> None:
    made = stepped(5, reading=smiles, second=alike)
    assert (verdict("attribute", {"attribute": made}).state == claims.HOLDS) == holds


def test_beside_instantid_likeness_must_be_kept_too() -> None:
    moves = {"reading": [-0.5, -0.2, 0, 0.2, 0.5], "second": [0.9] * 5}
    for likeness, state in (([0.5] * 5, claims.HOLDS), ([0.5, 0.5, 0.5, 0.5, 0.44], claims.FAILS)):
        made = {"attribute_instantid": stepped(5, **moves, likeness=likeness)}
        assert verdict("attribute_instantid", made).state == state


def test_only_what_is_said_is_damaged() -> None:
    for number, kind in zip((0, 2, 4, 6), repair.DAMAGES, strict=True):
        people = Case(number), Case(number + 1)
        made, whole = repair.damaged(people), repair.row_of([case.truth for case in people])
        assert repair.damage(number) == kind and made.shape == (SIDE, 2 * SIDE, 3)
        left, right = (not np.array_equal(made[:, part], whole[:, part]) for part in _HALVES)
        assert left and right == (kind == "swapped"), kind


_HALVES = slice(0, SIDE), slice(SIDE, None)


def test_everybody_of_five_stands_where_another_should() -> None:
    people = [Case(n) for n in range(5)]
    made, whole = repair.turned_round(people), repair.row_of([case.truth for case in people])
    assert made.shape == (SIDE, 5 * SIDE, 3)
    for part in np.split(made != whole, 5, axis=1):
        assert part.any()


def pair(after: float, pictures: np.ndarray | None = None) -> dict[str, Shots]:
    """Eight pictures of two: everybody who was wrong is so like themselves now."""
    people, was = np.arange(16), np.tile([0.1, 0.9], 8)
    was[[0, 1, 8, 9]] = 0.1  # swapped
    before = shots(16, people=people, seconds=np.ones(8))
    object.__setattr__(before, "likeness", was)
    now = shots(16, people=people, seconds=np.ones(8))
    object.__setattr__(now, "likeness", np.where(was > 0.5, was, after))
    return {"repair_before": before, "repair": now}


def test_nine_of_ten_wrong_faces_must_be_right_and_nobody_worse() -> None:
    assert verdict("repair", pair(0.6)).state == claims.HOLDS
    assert "swapped 100%" in verdict("repair", pair(0.6)).evidence
    assert verdict("repair", pair(0.2)).state == claims.FAILS
    worse = pair(0.6)
    worse["repair"].likeness[3] = 0.5
    assert verdict("repair", worse).state == claims.FAILS
    assert "worse: 0 of them, 1 of 6 others" in verdict("repair", worse).evidence
    worse["repair"].likeness[:3] = 0.9, 0.9, 0.05
    assert "worse: 1 of them (stranger 1), 1 of 6 others" in verdict("repair", worse).evidence


def test_what_was_right_must_be_the_same_to_the_bit() -> None:
    there = pair(0.6)
    there |= {name: shots(8) for name in ("repair_small_before", "repair_small")}
    for name, width in (("repair_before", 2), ("repair", 2), ("repair_small_before", 1), ("repair_small", 1)):
        object.__setattr__(there[name], "pictures", np.zeros((8, SIDE, width * SIDE, 3), np.uint8))
    there["repair"].pictures[1, :, :SIDE] = 9  # a stranger, repaired
    there["repair"].pictures[0, :, SIDE:] = 9  # one of two who were swapped
    there["repair_small"].pictures[0, 60:70, 60:70] = 9
    assert verdict("repair_outside", there).state == claims.HOLDS
    there["repair"].pictures[1, 0, -1] = 1
    assert verdict("repair_outside", there).state == claims.FAILS
    there["repair"].pictures[1, 0, -1] = 0
    there["repair"].likeness[3] += 0.1  # who stood beside was blurred
    assert verdict("repair_outside", there).state == claims.HOLDS
    there["repair"].likeness[3] -= 0.2  # in a picture that was not kept
    found = verdict("repair_outside", there)
    assert found.state == claims.FAILS and "5 of 6 no less like themselves" in found.evidence
    there["repair"].likeness[3] += 0.1
    there["repair_small"].pictures[0, 2, 2] = 9
    assert verdict("repair_outside", there).state == claims.FAILS


def test_everybody_in_a_picture_counts() -> None:
    two = shots(8, seconds=np.ones(4), likeness=0.9, second=0.2)
    five = shots(20, seconds=np.ones(4), likeness=0.9, second=0.2)
    assert verdict("repair_people", {"repair": two, "repair_five": five}).state == claims.HOLDS
    five.likeness[7] = 0.1
    found = verdict("repair_people", {"repair": two, "repair_five": five})
    assert found.state == claims.FAILS and "75% of those of five" in found.evidence


def test_rounds_must_leave_likeness() -> None:
    steady, falling = (stepped(10, likeness=np.linspace(0.8, end, 10)) for end in (0.78, 0.6))
    assert verdict("rounds", {"rounds": steady, "rounds_alone": falling}).state == claims.HOLDS
    assert verdict("rounds", {"rounds": falling, "rounds_alone": falling}).state == claims.FAILS


def test_rows_of_steps_show_one_person() -> None:
    for name, people in (("attribute", 5), ("rounds", 10)):
        one = row(name)
        assert one.same and one.people == people and one.cases == 1
