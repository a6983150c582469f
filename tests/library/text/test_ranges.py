"""A conditioning cut in time."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.text import split_at

TENSOR = torch.zeros(1, 77, 4)


def entry(**facts: Any) -> list[Any]:
    return [TENSOR, {"pooled_output": TENSOR, **facts}]


def ranges(conditioning: list[Any]) -> list[tuple[float, float]]:
    return [(c[1].get("start_percent", 0.0), c[1].get("end_percent", 1.0)) for c in conditioning]


def test_a_border_inside() -> None:
    before, after = split_at([entry(note=1)], 0.2)
    assert ranges(before) == [(0.0, 0.2 - 5e-4)] and ranges(after) == [(0.2 - 5e-4, 1.0)]
    assert before[0][1]["note"] == 1 and before[0][0] is TENSOR


def test_at_the_ends_nothing_is_added() -> None:
    whole = [entry()]
    assert split_at(whole, 0.0)[0] == [] == split_at(whole, 1.0)[1]
    for part in (split_at(whole, 0.0)[1], split_at(whole, 1.0)[0]):
        assert part[0][1].keys() == {"pooled_output"} and part[0][1] is not whole[0][1]


def test_own_ranges_are_kept_to() -> None:
    parts = [entry(end_percent=0.1), entry(start_percent=0.1, end_percent=0.5), entry(start_percent=0.5)]
    before, after = split_at(parts, 0.3)
    assert ranges(before) == [(0.0, 0.1), (0.1, 0.2995)] and ranges(after) == [(0.2995, 0.5), (0.5, 1.0)]
    assert "start_percent" not in before[0][1] and "end_percent" not in after[1][1]


def test_cut_twice_at_the_same_place() -> None:
    before, after = split_at([entry()], 0.2)
    assert split_at(before, 0.2)[1] == [] == split_at(after, 0.2)[0]


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_the_parts_tile_what_was_there(percent: float, one: float, other: float) -> None:
    start, end = sorted((one, other))
    before, after = split_at([entry(start_percent=start, end_percent=end)], percent)
    tiles = ranges(before) + ranges(after)
    assert tiles[0][0] == start and tiles[-1][1] == end
    assert len(tiles) == 1 or tiles[0][1] == tiles[1][0]


def test_no_part_of_the_schedule() -> None:
    with pytest.raises(ValueError, match=r"1\.5 is no part of the schedule"):
        split_at([entry()], 1.5)
