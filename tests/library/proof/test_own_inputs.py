"""What `proof run` is given: people, prompts, options; every sentence about what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from proof.__main__ import main
from proof.own import people, prompts


def photo(path: Path, shade: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), (shade, 0, 0)).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for n, name in enumerate(("anna", "ben")):
        for m, file in enumerate(("b.png", "a.jpg", "c.png")):
            photo(tmp_path / "people" / name / file, 40 * n + 9 * m)
    return tmp_path / "people"


# ---- people


def test_the_first_photo_is_the_reference_and_the_others_are_truths(folder: Path) -> None:
    anna, ben = people.read(folder)
    assert (anna.name, anna.reference.name, [p.name for p in anna.truths]) == (
        "anna",
        "a.jpg",
        ["b.png", "c.png"],
    )
    photo(folder / "ben" / "reference.png", 200)
    about = {"reference": "c.png", "words": "a woman", "labels": {"age": 40}}
    (folder / "anna" / "person.json").write_text(json.dumps(about), encoding="utf-8")
    anna, ben = people.read(folder)
    assert anna.reference.name == "c.png" and ben.reference.name == "reference.png"
    assert anna.words == "a woman" and anna.labels == {"age": "40"} and ben.words == "a person"


def test_photos_are_upright(tmp_path: Path) -> None:
    turned = Image.new("RGB", (8, 4))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "a.jpg", exif=exif)
    assert people.photo(tmp_path / "a.jpg").shape == (8, 4, 3)


def test_each_fault_of_a_folder_is_a_sentence(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no folder"):
        people.read(tmp_path / "nowhere")
    (tmp_path / "few" / "one").mkdir(parents=True)
    with pytest.raises(ValueError, match="holds 1 folders: two people at least"):
        people.read(tmp_path / "few")
    about = folder / "anna" / "person.json"
    for text, said in [
        ("{", "is not JSON"),
        ("[]", "an object"),
        ('{"name": "x"}', 'may hold "reference", "words" and "labels"'),
        ('{"words": 3}', "are texts"),
        ('{"reference": "z.png"}', "no photo there is called that"),
    ]:
        about.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=said):
            people.read(folder)
    about.unlink()
    (folder / "anna" / "copy.png").write_bytes((folder / "anna" / "a.jpg").read_bytes())
    with pytest.raises(ValueError, match=r"copy\.png is the reference a\.jpg again"):
        people.read(folder)
    for path in (folder / "ben").glob("[bc]*"):
        path.unlink()
    (folder / "anna" / "copy.png").unlink()
    with pytest.raises(ValueError, match="holds 1 photos"):
        people.read(folder)
    (folder / "ben" / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="can't be read as a picture"):
        people.photo(folder / "ben" / "a.jpg")


# ---- prompts


def test_the_pack_s_prompts_ask_for_every_group() -> None:
    asked = prompts.read()
    assert {prompt.group for prompt in asked} == set(prompts.GROUPS)
    assert all(prompt.expression for prompt in asked if prompt.group == "expression")
    assert all(prompt.attributes for prompt in asked if prompt.group == "attribute")
    two = next(prompt for prompt in asked if prompt.people == 2)
    said = two.said(["a woman", "a {left} man"])
    assert "a woman on the left and a {left} man on the right" in said


PLAINLY = {"name": "a", "group": "plain", "text": "{who}"}


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ("x", "can't be read"),
        ([], "must hold a list"),
        ([{"name": "a"}], "has name, group and text"),
        ([{"name": "a b", "group": "plain", "text": "{who}"}], "letters, digits"),
        ([{"name": "a", "group": "odd", "text": "{who}"}], "is of no group 'odd'"),
        ([{"name": "a", "group": "plain", "text": "nobody"}], "needs {who}"),
        ([{"name": "a", "group": "two people", "text": "{left}"}], "needs {right}"),
        (
            [{"name": "a", "group": "plain", "text": "{who}", "expression": {"x": [0, 1]}}],
            "the expression 'x'",
        ),
        (
            [{**PLAINLY, "expression": {"mouth open": [1, 0]}}],
            r"needs \[least, most\]",
        ),
        (
            [{**PLAINLY, "attributes": {"hat": 1}}],
            "must be true or false",
        ),
        ([{"name": "a", "group": "plain", "text": "{who}"}] * 2, "several prompts called 'a'"),
    ],
)
def test_each_fault_of_prompts_is_a_sentence(entries: Any, said: str, tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text(entries if isinstance(entries, str) else json.dumps(entries), encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        prompts.read(file)


# ---- the command


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--seeds", "0"], "--seeds must be 1 or more"),
        (["--set", '{"Nowhere": {"x": 1}}'], "--set names 'Nowhere', but no method has a node called so"),
        (["--server", "ftp://x"], "must begin with http"),
        (["--server", "http://127.0.0.1:9"], "No ComfyUI answers at http://127.0.0.1:9"),
        (["--models", "nowhere"], "holds no recogniser to judge by"),
    ],
)
def test_each_fault_of_the_command_is_a_sentence(more: list[str], said: str, folder: Path) -> None:
    with pytest.raises(SystemExit, match=said):
        main(["run", "--people", str(folder), *more])
