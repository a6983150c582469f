"""The same command with the real host, our nodes and tiny checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.batches import SMALLEST, batch, drawn, lines

from batch import report

#: A photo, its face drawn round, beside the smallest picture.
GRAPH: dict[str, dict[str, Any]] = {
    **SMALLEST,
    "8": {
        "class_type": "LoadImage",
        "inputs": {"image": "none.png"},
        "_meta": {"title": "Photo of the Person"},
    },
    "9": {
        "class_type": "LikenessLoadFaceModels",
        "inputs": {"pack": "embedded", "provider": "CPU"},
        "_meta": {"title": "Load Face Models"},
    },
    "10": {
        "class_type": "LikenessDetectFaces",
        "inputs": {
            "face_models": ["9", 0],
            "image": ["8", 0],
            "min_score": 0.5,
            "max_faces": 0,
            "if_no_face": "error",
        },
        "_meta": {"title": "Detect Faces"},
    },
    "11": {
        "class_type": "LikenessDrawFaces",
        "inputs": {"image": ["8", 0], "faces": ["10", 0]},
        "_meta": {"title": "Draw Faces"},
    },
    "12": {
        "class_type": "SaveImage",
        "inputs": {"filename_prefix": "faces", "images": ["11", 0]},
        "_meta": {"title": "Save Faces"},
    },
}
PEOPLE = {"obama": "obama", "nobody": "coffee", "biden": "biden"}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, Any]) -> Path:
    """A table of three people beside its photos; the second photo shows a cup."""
    place = tmp_path_factory.mktemp("people")
    text = "Photo of the Person.image,Prompt.text,Sampler.steps\n"
    for name, photo in PEOPLE.items():
        Image.fromarray(photos[photo]).resize((256, 256)).save(place / f"{name}.png")
        text += f'{name}.png,"{name}, smiling",1\n'
    (place / "people.csv").write_text(text, encoding="utf-8")
    (place / "workflow.json").write_text(json.dumps(GRAPH), encoding="utf-8")
    return place / "people.csv"


@pytest.fixture(scope="module")
def asked(table: Path, host_options: list[str]) -> list[object]:
    words = ["run", table.parent / "workflow.json", "--rows", table, "--repeat", 2]
    return [*words, "--local", *host_options]


@pytest.fixture(scope="module")
def one(table: Path, asked: list[object]) -> Path:
    """What one worker draws, each row twice: a host takes its time to boot, so all tests look at this."""
    assert batch(*asked, "--out", table.parent / "one") == 1
    return table.parent / "one"


def test_two_workers_draw_what_one_draws(one: Path, tmp_path: Path, asked: list[object]) -> None:
    assert batch(*asked, "--out", tmp_path, "--workers", 2) == 1
    assert drawn(one) == drawn(tmp_path)
    assert len(drawn(one)) == 8


def test_a_row_is_drawn_again_equal_to_the_bit(
    one: Path, host_options: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    before = drawn(one)
    assert batch("replay", 3, one, "--repeat", 2, *host_options) == 0
    said = capfd.readouterr().out
    assert "000003_r2_" in said and said.count("equal to the bit") == 2
    assert drawn(one) == before, "the batch itself is left as it was"
    assert batch("report", one) == 0 and (one / report.NAME).is_file()
    assert batch("replay", 4, one, *host_options) == 2
    assert "The batch has no row of that number" in capfd.readouterr().err


def test_what_is_noted_of_it(one: Path) -> None:
    first, again, cup, _, last, _ = lines(one)
    assert first["seed"] != again["seed"] and first["outputs"][0] != again["outputs"][0]
    assert (first["state"], cup["state"], last["state"]) == ("done", "failed", "done")
    assert cup["node"] == "Detect Faces"
    assert "face" in cup["error"]
    assert [output["node"] for output in first["outputs"]] == ["Save", "Save Faces"]
    assert {"Sampler", "Detect Faces"} <= set(first["timings"])
    assert first["device"] == "cpu"
    assert first["seed"] != last["seed"]

    lock = json.loads((one / "lock.json").read_text(encoding="utf-8"))
    assert len(lock["models"]["tiny_sd15.safetensors"]) == 64
    assert lock["host"]["comfyui"]
