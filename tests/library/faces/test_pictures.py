"""Files are opened as the camera was held; others are refused by name."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.phone_photos import STORED, write_phone_photo
from support.tiny_faces import embedded, image

from likeness.faces.detect import detect
from likeness.faces.pictures import BadPicture, open_picture, picture_size

Photos = dict[str, np.ndarray]


@pytest.mark.parametrize("orientation", STORED)
def test_all_eight_ways_to_hold_a_camera_are_upright(
    photos: Photos, tmp_path: Path, orientation: int
) -> None:
    wide = photos["astronaut"][:300, :400]
    path = write_phone_photo(tmp_path / "a.png", wide, orientation)
    assert np.array_equal(np.asarray(open_picture(path)), wide)
    assert picture_size(path) == (400, 300)


@pytest.mark.parametrize("orientation", STORED)
def test_a_phones_photo_shows_its_face_where_it_is(photos: Photos, tmp_path: Path, orientation: int) -> None:
    path = write_phone_photo(tmp_path / "phone.jpg", photos["astronaut"], orientation)
    (face,) = detect(embedded(), image(np.asarray(open_picture(path)))).faces[0]
    assert face.box.tolist() == pytest.approx([179, 63, 269, 174], abs=4)


def test_what_is_no_picture_is_named(photos: Photos, tmp_path: Path) -> None:
    notes = tmp_path / "._a.png"
    notes.write_bytes(struct.pack(">II", 0x00051607, 0x00020000) + b"Mac OS X" + bytes(200))
    cut = write_phone_photo(tmp_path / "cut.jpg", photos["astronaut"], 6)
    cut.write_bytes(cut.read_bytes()[:9000])
    for path, says in (
        (notes, "is no picture that can be read"),
        (cut, "is damaged or cut short"),
        (tmp_path / "gone.png", "is not there"),
    ):
        with pytest.raises(BadPicture, match=says) as caught:
            open_picture(path)
        assert str(caught.value).startswith(str(path))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_notes_of_the_camera_cost_nothing(photos: Photos, tmp_path: Path) -> None:
    picture = Image.fromarray(photos["astronaut"])
    cut = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(30)
    for place, notes in enumerate((b"", b"Exif\0\0", cut, b"junk" * 9)):
        path = tmp_path / f"{place}.jpg"
        picture.save(path, exif=notes)
        assert picture_size(path) == open_picture(path).size == (512, 512)
