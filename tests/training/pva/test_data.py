"""Data sets of PVA: who, where the faces are, and what one step learns from. Spec A.5."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from support import pva_training as tiny

from training.batches import batches
from training.chance import generator, place
from training.people import People, Person, split
from training.pva import boxes as pva_boxes
from training.pva.boxes import find_boxes, find_extents
from training.pva.data import read_people
from training.pva.samples import PLAIN, Samples


@pytest.fixture(scope="module")
def people(files: SimpleNamespace) -> People:
    return read_people(files.people, test_share=0, validation_share=0.2)


@pytest.fixture(scope="module")
def samples(files: SimpleNamespace, people: People) -> Samples:
    boxes = find_boxes(people, files.boxes, tiny.SIDE)
    return Samples(people, people.train, boxes, 2, tiny.SIDE, seed=5)


def test_the_official_counts() -> None:
    everybody = [Person(f"{n:05}", ()) for n in range(1963)]
    train, validation = split(everybody, 0.3, 0.1)
    assert (len(train), len(validation)) == (1179, 196)
    assert not {p.name for p in train} & {p.name for p in validation}
    assert split(reversed(everybody), 0.3, 0.1) == (train, validation)


def test_a_folder_per_person(people: People) -> None:
    assert len(people.train) == 5 and len(people.validation) == 1
    picture = people.train[0].pictures[1]
    assert people.caption(picture) == "no. 1" and picture.name == "1.png"


def test_the_official_list(tmp_path: Path) -> None:
    for n in range(5):
        Image.new("RGB", (64, 64)).save(tmp_path / f"{n}.jpg")
    listed = {
        "train_ids": [7],
        "val_ids": [8],
        "id2image": {
            "7": {"infer": ["0.jpg"], "ref": ["1", "2"]},
            "8": {"infer": ["3.jpg"], "ref": ["4.jpg"]},
        },
    }
    path = tmp_path / "list.json"
    path.write_text(json.dumps(listed))
    found = read_people(tmp_path, path)
    assert [p.name for p in found.train] == ["7"] and [p.name for p in found.validation] == ["8"]
    assert [p.name for p in found.train[0].pictures] == ["0.jpg", "1.jpg", "2.jpg"]
    path.write_text(json.dumps({"id2image": {}}))
    with pytest.raises(ValueError, match="lacks train_ids"):
        read_people(tmp_path, path)


def test_nobody_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has nobody to learn from: it needs a folder per person"):
        read_people(tmp_path)


# ---- boxes


def test_boxes_of_a_real_face_are_remembered(photos: dict[str, np.ndarray], tmp_path: Path) -> None:
    """The astronaut's eyes are at height 106 of 512, her mouth at 144; a grey picture has no face."""
    folder = tmp_path / "people" / "anna"
    folder.mkdir(parents=True)
    Image.fromarray(photos["astronaut"]).save(folder / "a.png")
    Image.new("RGB", (512, 512), (90, 90, 90)).save(folder / "b.png")
    people = People(folder.parent, (Person("anna", (folder / "a.png", folder / "b.png")),), (), {})
    calls = []

    def find(picture: torch.Tensor) -> pva_boxes.Extents:
        calls.append(picture)
        return find_extents(picture)

    for _ in range(2):
        boxes = find_boxes(people, tmp_path / "boxes.json", 512, find=find)
    assert len(calls) == 2 and boxes.valid == ("anna/a.png",)
    extents = boxes.extents["anna/a.png"]
    eyes, jaw = (torch.tensor(extents[region]) * 512 for region in ("eyes and brows", "lower face"))
    assert eyes[1] < 106 < eyes[3] + 5 and jaw[3] > 144 and 150 < eyes[0] < 225 < eyes[2] < 300
    own, other = (boxes.hole(f"anna/{n}.png", 512, generator(1)) for n in "ab")
    assert own.any() and other.any()
    (folder / "b.png").write_bytes((folder / "a.png").read_bytes())
    assert len(find_boxes(people, tmp_path / "boxes.json", 512, find=find).valid) == 2
    assert len(calls) == 3


def test_no_face_anywhere(people: People, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"No picture of .* shows a face"):
        find_boxes(people, tmp_path / "boxes.json", tiny.SIDE, find=lambda picture: None)


def test_a_file_that_is_no_boxes(people: People, tmp_path: Path) -> None:
    (tmp_path / "boxes.json").write_text("[")
    with pytest.raises(ValueError, match=r"boxes\.json holds no face boxes"):
        find_boxes(people, tmp_path / "boxes.json", tiny.SIDE)


# ---- samples


def test_a_batch_is_its_number(samples: Samples) -> None:
    one, again, other = samples[3], samples[3], samples[4]
    assert (
        all(torch.equal(a, b) for a, b in zip(one[:3], again[:3], strict=True)) and one.texts == again.texts
    )
    assert not torch.equal(one.pictures, other.pictures)


def test_readers_ahead_give_the_same(samples: Samples) -> None:
    direct = [samples[n] for n in range(2, 5)]
    for found, wanted in zip(batches(samples, 2, 5, workers=1), direct, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(found[:3], wanted[:3], strict=True))
        assert found.texts == wanted.texts


def test_everybody_has_their_turn(samples: Samples) -> None:
    count = len(samples.targets)
    assert sorted(place(n, count, 5) for n in range(count)) == list(range(count))
    assert [place(n, count, 5) for n in range(count)] != [place(n + count, count, 5) for n in range(count)]
    first, second = (
        Samples(samples.people, samples.persons, samples.boxes, 2, tiny.SIDE, seed=5, process=n, processes=2)
        for n in (0, 1)
    )
    assert not torch.equal(first[0].pictures, second[0].pictures)


def test_what_is_in_a_batch(samples: Samples) -> None:
    seen = [samples[n] for n in range(40)]
    texts = [text for batch in seen for text in batch.texts]
    assert 0.3 < texts.count(PLAIN) / len(texts) < 0.7
    assert {text for text in texts if text != PLAIN} == {f"{PLAIN}. no. {n}" for n in range(3)}
    # Three pictures each: one or two references, and at times a mirrored one.
    assert {batch.faces.shape[1] for batch in seen} == {1, 2, 3}
    for batch in seen:
        assert batch.pictures.shape == (2, 3, 64, 64) and batch.faces.shape[2:] == (3, 112, 112)
        assert float(batch.pictures.min()) >= -1 and float(batch.pictures.max()) <= 1
        assert set(batch.holes.unique().tolist()) <= {0.0, 1.0}
        assert all(0.1 < float(hole.mean()) < 1 for hole in batch.holes)


def test_free_form_masks_of_a_folder(samples: Samples, tmp_path: Path) -> None:
    values = np.zeros((64, 64), dtype=np.uint8)
    values[-4:] = 255  # far from the boxes
    Image.fromarray(values).save(tmp_path / "m.png")
    given = Samples(
        samples.people, samples.persons, samples.boxes, 2, tiny.SIDE, [tmp_path / "m.png"], seed=5
    )
    hole = given[0].holes[0, 0]
    assert (
        bool((hole[-4:] == 1).all())
        and bool((hole[-10:-4] == 0).all())
        and bool((hole[32, 28:36] == 1).all())
    )
