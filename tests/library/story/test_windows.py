"""Which frames share a prompt."""

from __future__ import annotations

import logging

import pytest
from support.conditioning_golden import Conditioned

from likeness.methods.story import fitting, windows

CASE = Conditioned().cases["windows"]


def test_windows_are_those_of_the_authors_code() -> None:
    assert [list(one) for one in windows(CASE["n"], CASE["w"])] == CASE["out"]


@pytest.mark.parametrize("size", [4, 5, 10])
def test_what_fits_keeps_the_order_of_the_story(size: int) -> None:
    assert windows(4, size) == [(0, 1, 2, 3)] * 4


@pytest.mark.parametrize(("count", "size"), [(n, w) for n in range(1, 9) for w in range(1, 9)])
def test_every_prompt_has_its_own_frame_and_no_frame_twice(count: int, size: int) -> None:
    made = windows(count, size)
    assert len(made) == count
    for frame, one in enumerate(made):
        assert frame in one and len(set(one)) == len(one) == min(count, size)


def test_as_many_as_fit(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        made = fitting(25, [20, 20, 20, 30], 10)
    # 25 + 20 + 30 are just as many as there is room for, three frames are too many.
    assert made == [(0, 1), (1, 2), (2, 3), (3, 0)]
    assert "2 frames fit into one prompt at once, not 4" in caplog.text


def test_all_that_fit_are_taken_and_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert fitting(5, [7] * 10, 10) == [tuple(range(10))] * 10
        assert fitting(5, [7] * 3, 1) == [(0,), (1,), (2,)]
    assert not caplog.text


def test_an_identity_that_is_too_long() -> None:
    with pytest.raises(ValueError, match="identity has 76 tokens, but a prompt holds 75"):
        fitting(76, [1], 10)


def test_a_frame_that_is_too_long() -> None:
    with pytest.raises(ValueError, match="frame 2 has 40 tokens and identity 40, together 80, but a prompt"):
        fitting(40, [5, 40], 10)


def test_no_window() -> None:
    with pytest.raises(ValueError, match="window must be 1 or more, not 0"):
        fitting(4, [5], 0)
