"""Tables as text and as cells."""

from __future__ import annotations

import pytest

from likeness.algebra.sheet import Column, Sheet

COLUMNS = (Column("place", 5), Column("name", 6, left=True), Column("score", 5), Column("", left=True))


def test_numbers_stand_at_the_right_names_at_the_left_and_no_line_ends_in_spaces() -> None:
    sheet = Sheet(
        ("Above.",), COLUMNS, (("0", "Ann", "0.5", "best"), ("1", "Benedict", "-", "")), ("Below.",)
    )
    assert sheet.text().split("\n") == [
        "Above.",
        "place  name    score",
        "    0  Ann       0.5  best",
        "    1  Benedict      -",
        "Below.",
    ]


def test_a_row_that_ends_early_has_a_remark_last() -> None:
    sheet = Sheet((), COLUMNS, (("0", "Ann", "missing: nobody there"),))
    assert sheet.text().split("\n")[1] == "    0  Ann     missing: nobody there"
    assert sheet.told()["rows"] == [["0", "Ann", "missing: nobody there"]]
    assert [column["left"] for column in sheet.told()["columns"]] == [False, True, False, True]


def test_more_cells_than_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="A row of 5 cells has 4 columns"):
        Sheet((), COLUMNS, (("0", "a", "b", "c", "d"),))
