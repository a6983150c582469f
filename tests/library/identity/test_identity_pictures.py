"""The small pictures in identity files."""

from __future__ import annotations

import base64
import io
import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from support.tiny_faces import embedded, image

from likeness.faces.detect import detect
from likeness.faces.portraits import portraits
from likeness.identity import SIDE, Person, load_people, save_people
from likeness.values import Face, Faces, Identity

ANNA, BEN = (
    Person(Identity(torch.full((1, 512), n), "sface"), name) for n, name in ((1.0, "anna"), (2.0, "ben"))
)


def squares(*colours: tuple[float, float, float]) -> torch.Tensor:
    return torch.tensor(colours)[:, None, None].expand(-1, SIDE, SIDE, 3)


RED, BLUE = (0.8, 0.1, 0.1), (0.1, 0.2, 0.9)


def test_each_person_has_a_picture_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "family.safetensors"
    save_people([ANNA, BEN], file, squares(RED, BLUE))
    _, pictures = load_people(file)
    assert [tuple(picture.shape) for picture in pictures] == [(1, SIDE, SIDE, 3)] * 2
    for picture, colour in zip(pictures, (RED, BLUE), strict=True):
        middle = picture[0, SIDE // 2, SIDE // 2]
        assert torch.allclose(middle, torch.tensor(colour), atol=0.02)  # JPEG
    assert [path.name for path in tmp_path.iterdir()] == ["family.safetensors"]


def test_the_page_finds_picture_and_people_under_modelspecs_keys(tmp_path: Path) -> None:
    file = tmp_path / "anna.safetensors"
    save_people([ANNA], file, squares(RED))
    with safe_open(file, "pt") as opened:
        facts = opened.metadata()
    start, _, encoded = facts["modelspec.thumbnail"].partition(",")
    assert start == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (SIDE, SIDE))
    assert facts["modelspec.description"] == "Identity: 0 anna (sface)"


def test_sixteen_pictures_stay_below_what_the_host_shows(tmp_path: Path) -> None:
    file = tmp_path / "all.safetensors"
    noise = torch.rand(16, SIDE, SIDE, 3, generator=torch.Generator().manual_seed(0))
    save_people([ANNA] * 16, file, torch.nn.functional.avg_pool3d(noise, (3, 3, 1), 1, (1, 1, 0)))
    assert int.from_bytes(file.read_bytes()[:8], "little") < 1 << 20


@pytest.mark.parametrize(
    "text",
    ["data:image/jpeg;base64,AAAA", "no data at all", "data:image/jpeg;base64,/9j/4AAQSkZJRg==", "!"],
)
def test_a_broken_picture_costs_nobody_their_identity(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    facts = {"format": "likeness-identity/1", "recogniser": "sface", "modelspec.thumbnail": text}
    save_file({"embeddings": torch.ones(1, 4)}, tmp_path / "x.safetensors", facts)
    with caplog.at_level(logging.WARNING):
        people, pictures = load_people(tmp_path / "x.safetensors")
    assert len(people) == 1 and pictures == []
    assert "The picture in x.safetensors can't be shown" in caplog.text


def test_a_picture_of_another_shape_is_everybodys_and_a_huge_one_nobodys(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def with_picture(size: tuple[int, int]) -> list[torch.Tensor]:
        buffer = io.BytesIO()
        Image.new("RGB", size).save(buffer, "JPEG")
        text = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
        people = json.dumps([{"recogniser": "sface"}] * 2)
        facts = {"format": "likeness-identity/2", "people": people, "modelspec.thumbnail": text}
        tensors = {"embeddings.0": torch.ones(1, 4), "embeddings.1": torch.ones(1, 4)}
        save_file(tensors, tmp_path / "x.safetensors", facts)
        return load_people(tmp_path / "x.safetensors")[1]

    assert [tuple(picture.shape) for picture in with_picture((50, 40))] == [(1, 40, 50, 3)] * 2
    assert with_picture((9000, 4)) == []
    assert "9000 x 4 pixels" in caplog.text


def test_a_portrait_is_a_square_around_the_face(photos: dict[str, np.ndarray]) -> None:
    faces = detect(embedded(), image(photos["astronaut"]))
    (portrait,) = portraits(faces, 1)
    assert portrait.shape == (SIDE, SIDE, 3)
    again = detect(embedded(), portrait[None]).faces[0]
    assert len(again) == 1
    x1, y1, x2, y2 = again[0].box.tolist()
    assert abs((x1 + x2) / 2 - SIDE / 2) < SIDE / 8 and abs((y1 + y2) / 2 - SIDE / 2) < SIDE / 8
    assert 0.35 < (y2 - y1) / SIDE < 0.8


def test_a_face_at_the_edge_keeps_a_square_of_the_picture() -> None:
    picture = torch.rand(1, 60, 80, 4, generator=torch.Generator().manual_seed(1))
    corner = Face(torch.tensor([-10.0, -10, 20, 20]), torch.zeros(5, 2))
    huge = Face(torch.tensor([-50.0, -50, 200, 200]), torch.zeros(5, 2))
    both = portraits(Faces(picture, ((corner, huge),)), 2)
    assert both.shape == (2, SIDE, SIDE, 3)
    assert float(both.std()) > 0.1


def test_there_is_a_face_for_each_of_several_people(photos: dict[str, np.ndarray]) -> None:
    faces = detect(embedded(), image(photos["t1"]))
    assert portraits(faces, 6).shape == (6, SIDE, SIDE, 3)
    assert torch.equal(portraits(faces, 1)[0], portraits(faces, 6)[0])
    with pytest.raises(ValueError, match="faces holds 6 faces for 2 people"):
        portraits(faces, 2)
    with pytest.raises(ValueError, match="Save Identity got no face"):
        portraits(detect(embedded(), image(photos["coffee"])), 1)
