"""Pictures on the disk, whole or not at all."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
from PIL import Image

from batch import outputs
from batch.values import Job, Picture, RowError, WorldError

JOB = Job("k" * 64, 7, 1, 2, 5, {})


def picture(name: str = "x_00001_.png") -> Picture:
    data = io.BytesIO()
    Image.effect_noise((64, 64), 50).convert("RGB").save(data, "PNG")
    return Picture(name, data.getvalue(), "Save", "image")


def test_names_are_of_the_job_alone(tmp_path: Path) -> None:
    one, other = picture(), picture()
    (single,) = outputs.save(tmp_path, JOB, [one])
    assert single.name == "pictures/000007_r2_t3_kkkkkkkkkkkk.png"
    assert (tmp_path / single.name).read_bytes() == one.data
    assert single.sha256 == hashlib.sha256(one.data).hexdigest()
    several = outputs.save(tmp_path, JOB, [one, other], "accepted")
    assert [Path(o.name).stem[-2:] for o in several] == ["_1", "_2"]
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize(
    "given, said",
    [
        ([Picture("x.png", b"", "Save", "image")], "'Save' gave an empty file x.png"),
        ([Picture("x.png", b"no picture", "Save", "image")], "'Save' gave a damaged picture x.png"),
        ([Picture("x.png", picture().data[:-1500], "Save", "image")], "damaged picture"),
    ],
)
def test_what_is_no_picture_is_not_kept(tmp_path: Path, given: list[Picture], said: str) -> None:
    with pytest.raises(outputs.DamagedPicture, match=said):
        outputs.save(tmp_path, JOB, [picture(), *given])
    assert not list(tmp_path.rglob("*.*"))


def test_a_row_that_saved_nothing_has_itself_to_blame(tmp_path: Path) -> None:
    with pytest.raises(RowError, match="Nothing was saved"):
        outputs.save(tmp_path, JOB, [])


def test_videos_and_texts_are_kept_as_they_are(tmp_path: Path) -> None:
    found = outputs.save(tmp_path, JOB, [Picture("x.MP4", b"film", "Save", "video")])
    assert (tmp_path / found[0].name).read_bytes() == b"film"
    assert found[0].name.endswith(".mp4")


def test_a_folder_that_is_gone_is_the_world_s(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match=r"The output folder .* is gone"):
        outputs.save(tmp_path / "gone", JOB, [picture()])


def test_a_place_that_cannot_be_written_is_the_world_s(tmp_path: Path) -> None:
    (tmp_path / "pictures").write_text("a file")
    with pytest.raises(WorldError, match="can't be written"):
        outputs.save(tmp_path, JOB, [picture()])


def test_what_was_begun_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png.part").write_text("half")
    (tmp_path / "pictures" / "a.png").write_text("whole")
    assert outputs.clear_parts(tmp_path) == 1
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["a.png"]
