"""The demo's people and its sheet."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from installer import demo as installed
from proof.demo.draw import METHODS, TITLES, Picture
from proof.demo.people import friend, person, wishes
from proof.demo.sheet import Given, _lines, sheet
from proof.report import rows
from proof.training.stages import STAGES
from proof.world.captions import read


def test_every_picture_shows_the_person_with_something_the_reference_lacks() -> None:
    own = person()
    prompts = [wish.case.prompt for wish in wishes()]
    assert len(set(prompts)) == len(prompts) == 6
    for wish in wishes():
        assert wish.case.person == own.person == wish.case.truth.person
        assert wish.case.reference == own.reference
        assert wish.case.asked != own.asked and read(wish.case.prompt) == (wish.case.asked,)
    assert friend().person != own.person
    # None of them stands in the report.
    assert own.number > 1000 and friend().number > 1000


def test_methods_are_made_of_rows() -> None:
    names = {row.name for row in rows.rows()}
    assert set(TITLES) == set(METHODS)
    for of_method in METHODS.values():
        assert set(of_method) <= names


def test_the_installer_asks_for_stages_that_there_are() -> None:
    assert set(installed.DRAWN_NEEDS) <= {stage.name for stage in STAGES}


def test_four_stand_in_a_line_and_two_people_take_two_places() -> None:
    single, double = np.zeros((128, 128, 3), np.uint8), np.zeros((128, 256, 3), np.uint8)
    one, two = Picture("a", single, (0.5,)), Picture("b", double, (0.5, 0.4))
    assert [len(line) for line in _lines([one] * 5)] == [4, 1]
    assert [len(line) for line in _lines([one, one, two, one, two])] == [3, 2]
    drawn = sheet("InstantID", [Given(single, "who", "")], [one] * 4 + [two], 0.9, 0.0)
    shown = Image.open(io.BytesIO(drawn))
    assert shown.format == "PNG" and shown.size[0] == 14 * 3 + 224 * 5 + 14 * 4


def test_a_bar_is_as_long_as_the_likeness() -> None:
    """Green from the left to the picture's part between somebody else and another true picture."""
    single = np.zeros((128, 128, 3), np.uint8)

    def green(value: float) -> int:
        drawn = sheet("x", [Given(single, "", "")], [Picture("a", single, (value,))], 0.8, -0.2)
        under = np.asarray(Image.open(io.BytesIO(drawn)))[80 + 224 : 80 + 224 + 58]
        return int((under == (38, 132, 92)).all(axis=-1).any(axis=0).sum())

    assert green(-0.2) == green(-0.9) == 0
    assert green(0.3) * 2 == pytest.approx(green(0.8), abs=2) and green(0.8) == green(1.0) > 100
