"""The tool that measures on folders of people: real faces, the embedded networks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.tiny_faces import embedded, image

from likeness.algebra.calibration import load, told
from likeness.faces.detect import detect
from tools.calibrate import calibrate, people_in

Photos = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def folders(photos: Photos, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six people of one photo, each twice, in two groups; a picture without a face; a file that is none."""
    folder = tmp_path_factory.mktemp("people")
    photo = photos["t1"]
    for n, face in enumerate(detect(embedded(), image(photo)).faces[0]):
        x1, y1, x2, y2 = (int(v) for v in face.box.tolist())
        grow = (x2 - x1) // 2
        cut = photo[max(0, y1 - grow) : y2 + grow, max(0, x1 - grow) : x2 + grow]
        own = folder / ("even" if n % 2 == 0 else "odd") / f"person {n}"
        own.mkdir(parents=True)
        Image.fromarray(cut).save(own / "a.png")
        Image.fromarray(np.ascontiguousarray(cut[:, ::-1])).save(own / "b.png")
    Image.fromarray(photos["coffee"]).save(own / "c.png")
    (own / "d.jpg").write_bytes(b"no picture")
    return folder


def test_people_and_groups_are_read_off_the_folders(folders: Path) -> None:
    people = people_in(folders)
    assert [(p.group, p.name, len(p.pictures)) for p in people][:2] == [
        ("even", "person 0", 2),
        ("even", "person 2", 2),
    ]
    assert {p.group for p in people} == {"even", "odd"} and len(people) == 6


def test_what_is_measured_is_what_the_nodes_then_say(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, state = tmp_path / "models" / "calibration.json", torch.random.get_rng_state()
    said = calibrate(folders, embedded(), out)
    assert "sface: 6 people, 12 pictures, 60 pairs of strangers, 6 of one person" in said
    assert "among even" in said and "among odd" in said and str(out) in said
    warned = capsys.readouterr().err
    assert "left out, no face:" in warned and "d.jpg" in warned
    known = load(out)
    assert "measured by tools.calibrate on 12 pictures of 6 people" in known["sface"].source
    assert known["sface"].points and told(0.99, "sface", known).startswith("at least ")
    assert torch.equal(torch.random.get_rng_state(), state)
    # What the file says of others stays, and the same pictures give the same file.
    content = json.loads(out.read_text())
    content["recognisers"]["other"] = {"points": [{"similarity": 0.1, "one_in": 2}], "source": "before"}
    out.write_text(json.dumps(content))
    calibrate(folders, embedded(), out)
    assert json.loads(out.read_text()) == content


@pytest.mark.parametrize(("content", "says"), [("{", "is damaged"), ("[]", "is no calibration file")])
def test_a_file_that_is_none_is_left_alone(folders: Path, tmp_path: Path, content: str, says: str) -> None:
    out = tmp_path / "calibration.json"
    out.write_text(content)
    with pytest.raises(ValueError, match=f"calibration.json {says}"):
        calibrate(folders, embedded(), out)
    assert out.read_text() == content


def test_too_few_people_are_told(folders: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds pictures of 0 people\. Make a folder for each person"):
        people_in(folders / "even" / "person 0")
    with pytest.raises(ValueError, match="is no folder"):
        people_in(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="pairs of strangers are too few"):
        calibrate(folders / "odd", embedded(), tmp_path / "x.json")
    assert not (tmp_path / "x.json").exists()
