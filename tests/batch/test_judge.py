"""Judged by a recogniser that the workflow does not use, on real photos."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from batch.judge import JudgeError, appoint, recognisers_of
from batch.values import Picture, RowError
from installer.folders import Folders
from installer.paths import photos_folder, shared_models
from likeness.weights.find import MissingModel

COLUMN = "Photo.image"
FOLDERS = [str(folder) for folder in Folders(shared_models()).of("insightface")]
PLAIN = {"1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}}}
OBAMA, AGAIN, BIDEN = (photos_folder() / name for name in ("obama.jpg", "obama2.jpg", "biden.jpg"))


def photo(path: Path) -> dict[str, str]:
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def picture(data: bytes, kind: str = "image") -> Picture:
    return Picture("a.png", data, "Save Image", kind)


def grey() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((64, 64, 3), 128, np.uint8)).save(out, "PNG")
    return out.getvalue()


def test_the_person_is_accepted_and_another_is_not() -> None:
    judge = appoint(PLAIN, [COLUMN], "0.4", folders=FOLDERS)
    assert judge.recogniser == "sface"
    right = judge.judge(photo(OBAMA), [picture(AGAIN.read_bytes())])
    wrong = judge.judge(photo(OBAMA), [picture(BIDEN.read_bytes())])
    assert right.accepted and right.judged["similarity"] > 0.6 and right.judged["faces"] == [1]
    assert not wrong.accepted and wrong.judged["similarity"] < 0.4
    assert right.each[0] is not None and right.each[0]["similarity"] == right.judged["similarity"]


def test_of_several_pictures_the_least_like_counts_and_one_without_a_face_is_no_likeness() -> None:
    judge = appoint(PLAIN, [COLUMN], "0.4", folders=FOLDERS)
    both = judge.judge(photo(OBAMA), [picture(AGAIN.read_bytes()), picture(grey()), picture(b"", "text")])
    assert not both.accepted and both.judged["similarity"] is None and both.judged["faces"] == [1, 0]
    assert both.each[2] is None, "a text is not judged"


def test_what_the_workflow_uses_does_not_judge() -> None:
    embeds = {"1": {"class_type": "LikenessEmbedFaces", "inputs": {"recogniser": "sface"}}}
    assert recognisers_of(embeds) == {"sface"}
    only = {
        "1": {"class_type": "LikenessLoadFaceModels", "inputs": {"pack": "antelopev2"}},
        "2": {"class_type": "LikenessEmbedFaces", "inputs": {"recogniser": "whatever face_models has"}},
    }
    assert recognisers_of(only) == {"glintr100", "arc2face"}
    with pytest.raises(JudgeError, match=r"itself uses sface, .* --judge-same"):
        appoint(embeds, [COLUMN], "0.4", recogniser="sface", folders=FOLDERS)
    assert appoint(embeds, [COLUMN], "0.4", recogniser="sface", same=True, folders=FOLDERS)


def test_a_rate_of_strangers_is_a_bar() -> None:
    judge = appoint(PLAIN, [COLUMN], "1 in 100", folders=FOLDERS)
    assert 0.1 < judge.at_least < 0.6 and "sface" in str(judge).lower()


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"columns": []}, "columns of pictures: none. Name one with --judge-photo"),
        ({"columns": [COLUMN, "Pose.image"]}, "columns of pictures: Photo.image, Pose.image"),
        ({"at_least": ""}, "--judge needs --at-least"),
        ({"at_least": "much"}, "neither a similarity"),
        ({"pack": "nobody"}, "No face pack is called 'nobody'"),
        ({"recogniser": "me"}, "No recogniser is called 'me' there. There are: sface"),
    ],
)
def test_who_can_not_judge_is_said(options: dict[str, object], sentence: str) -> None:
    whole = {"columns": [COLUMN], "at_least": "0.4", "folders": FOLDERS, **options}
    with pytest.raises(JudgeError) as raised:
        appoint(PLAIN, **whole)  # type: ignore[arg-type]
    assert sentence in str(raised.value)


def test_a_recogniser_that_is_not_there_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MissingModel, match=r"install\.py --models"):
        appoint(PLAIN, [COLUMN], "0.4", recogniser="glintr100", folders=[str(tmp_path)])


def test_a_photo_of_nobody_is_the_rows_fault(tmp_path: Path) -> None:
    judge = appoint(PLAIN, [COLUMN], "0.4", folders=FOLDERS)
    wall = tmp_path / "wall.png"
    wall.write_bytes(grey())
    with pytest.raises(RowError, match=f"{COLUMN} shows no face"):
        judge.judge(photo(wall), [picture(grey())])
    gone = photo(wall)
    wall.unlink()
    with pytest.raises(RowError, match=r"wall\.png can't be read"):
        judge.judge({**gone, "sha256": "another"}, [picture(grey())])
    with pytest.raises(RowError, match="no image"):
        judge.judge(photo(OBAMA), [picture(b"words", "text")])
