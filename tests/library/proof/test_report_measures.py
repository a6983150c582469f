"""The report's arithmetic against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from proof.report import measures

EAST, NORTH = np.array([1.0, 0.0]), np.array([0.0, 1.0])


def at(degrees: float) -> np.ndarray:
    return np.array([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])


def test_cosines_and_angles_of_vectors_of_any_length() -> None:
    assert measures.cosine(3 * EAST, 2 * at(60)) == pytest.approx(0.5)
    assert measures.angle(EAST, 5 * NORTH) == pytest.approx(math.pi / 2)
    assert measures.angle(EAST, -EAST) == pytest.approx(math.pi)
    # An arccosine would give 0 here: the cosine differs from 1 by less than a rounding.
    assert measures.angle(EAST, at(math.degrees(1e-9))) == pytest.approx(1e-9, rel=1e-6)


@pytest.mark.parametrize(
    ("out", "expected"), [(NORTH, 1.0), (EAST, -1.0), (at(45), 0.0), (at(22.5), -0.5), (at(180), 1.0)]
)
def test_copy_paste_is_1_for_the_reference_and_minus_1_for_the_truth(
    out: np.ndarray, expected: float
) -> None:
    assert measures.copy_paste(out, EAST, NORTH) == pytest.approx(expected)


def test_copy_paste_says_nothing_where_truth_and_reference_are_one() -> None:
    assert np.isnan(measures.copy_paste(NORTH, EAST, EAST))


def test_an_interval_of_equal_people_is_a_point() -> None:
    one = measures.estimate(np.full(20, 0.25), np.arange(20))
    assert (one.mean, one.low, one.high, one.count) == (0.25, 0.25, 0.25, 20)


def test_the_interval_is_of_people_not_of_pictures() -> None:
    """Ten equal pictures of each person say no more than one."""
    chance = np.random.default_rng(1)
    values = chance.normal(0, 1, 100)
    once = measures.estimate(values, np.arange(100))
    often = measures.estimate(values.repeat(10), np.arange(100).repeat(10))
    assert often.high - often.low == pytest.approx(once.high - once.low)
    # About 1.96 deviations of the mean on each side.
    half = 1.96 * values.std() / 10
    assert once.high - once.mean == pytest.approx(half, rel=0.15)
    assert once.mean - once.low == pytest.approx(half, rel=0.15)


def test_what_could_not_be_measured_takes_no_part() -> None:
    one = measures.estimate(np.array([0.5, np.nan, 0.7]), np.array([0, 1, 2]))
    assert one.mean == pytest.approx(0.6) and one.count == 2
    assert math.isnan(measures.estimate(np.array([np.nan]), np.array([0])).mean)


def test_intervals_apart() -> None:
    low, high = measures.Estimate(0.1, 0.0, 0.2, 9), measures.Estimate(0.4, 0.3, 0.5, 9)
    assert low.apart_from(high) and high.apart_from(low)
    assert not low.apart_from(measures.Estimate(0.2, 0.15, 0.3, 9))


def test_how_many_people_show_a_difference() -> None:
    # (1.96 + 0.8416)^2 * (0.1 / 0.02)^2 = 196.2
    assert measures.needed(0.1) == 197
    assert measures.needed(0.2) == 785


def test_points_in_parts_of_the_eyes_distance() -> None:
    asked = np.array([[0.0, 0], [20, 0], [10, 10], [4, 20], [16, 20]])
    assert measures.points_error(asked + np.array([3.0, 4.0]), asked) == pytest.approx(5 / 20)


def test_where_a_detector_always_errs_alike_nothing_is_left() -> None:
    """Both are its own: mouth corners that it sees too far out are so in the true picture, too."""
    true = np.array([[0.0, 0], [20, 0], [10, 10], [4, 20], [16, 20]])
    wrong = np.array([[0.0, 0], [0, 0], [0, 0], [-3, 0], [3, 0]])
    assert measures.points_error(true + wrong, true + wrong) == 0
    assert measures.points_error(true + wrong, true) == pytest.approx(6 / 5 / 20)
    # What is truly elsewhere stays: one of five points, by 5 pixels.
    moved = true + wrong + np.eye(5)[:, [2]] * [3.0, 4.0]
    assert measures.points_error(moved, true + wrong) == pytest.approx(5 / 5 / 20)


def test_monotone() -> None:
    assert measures.monotone([0.0, 0.1, 0.1, 0.3])
    assert not measures.monotone([0.0, 0.2, 0.1])
    assert measures.monotone([0.0, 0.2, 0.195], 0.01)
