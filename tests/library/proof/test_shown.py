"""Pictures of the drawn world that thumbnails of templates show."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.report_shots import shots

from proof.demo.people import person
from proof.report import shown
from tools import drawn_world
from tools.thumbnail_card import Card, around_face


def test_a_picture_without_a_face_is_not_kept() -> None:
    found = np.array([True, False, True, True])
    pictures = np.zeros((4, 128, 128, 3), np.uint8)
    kept = shown.files({"instantid": shots(4, found=found, pictures=pictures)})
    assert {f"shown/instantid_{n}.jpg" for n in (0, 2, 3)} < set(kept)
    assert "shown/instantid_1.jpg" not in kept
    own = np.asarray(Image.open(io.BytesIO(kept["shown/person.jpg"])), float)
    assert np.abs(own - person().reference_drawing.picture).mean() < 3
    # Of two people both must be there.
    both = np.array([True, True, True, False])
    kept = shown.files({"two_people": shots(4, found=both, pictures=np.zeros((2, 128, 256, 3), np.uint8))})
    assert "shown/two_people_0.jpg" in kept and "shown/two_people_1.jpg" not in kept
    assert shown.files({}) == {}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, colour in (("person", (200, 40, 40)), ("instantid_0", (40, 40, 200))):
        Image.new("RGB", (128, 128), colour).save(tmp_path / f"{name}.jpg")
    return tmp_path


def test_a_thumbnail_is_of_the_person_whose_picture_was_drawn(folder: Path) -> None:
    photo = torch.zeros(1, 512, 512, 3)
    drawn, image = drawn_world.of_person(photo, "instantid", 0, folder)
    assert drawn is not None and image.shape == photo.shape
    assert around_face(image)[..., 0].mean() > 0.7
    missing, image = drawn_world.of_person(photo, "pva", 0, folder)
    assert missing is None and image is photo


def test_what_is_of_the_drawn_world_says_so() -> None:
    box = (10, 10, 110, 110)
    drawn, empty = Card(), Card()
    drawn.drawn(torch.ones(1, 64, 64, 3), box)
    empty.drawn(None, box, placeholder="SDXL")
    label = np.asarray(drawn.picture)[95:108, 12:108]
    assert (label == (176, 84, 0)).all(axis=-1).mean() > 0.5
    assert not (np.asarray(empty.picture) == (176, 84, 0)).all(axis=-1).any()
