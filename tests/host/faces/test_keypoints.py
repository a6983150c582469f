"""Edit Keypoints in the real host, called with its socket ids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support.tiny_faces import image

from installer.paths import REPOSITORY

NODE = "LikenessEditKeypoints"
FIVE = [[100, 100], [140, 100], [120, 125], [105, 145], [135, 145]]


@pytest.fixture(scope="module")
def run(pack: Any) -> Any:
    return lambda node_id, **inputs: pack.node(node_id).execute(**inputs)


@pytest.fixture(scope="module")
def astronaut(run: Any, photos: dict[str, np.ndarray]) -> Any:
    models = run("LikenessLoadFaceModels", pack="embedded", provider="CPU").result[0]
    return run("LikenessDetectFaces", face_models=models, image=image(photos["astronaut"])).result[0]


def test_sockets_are_as_promised(pack: Any) -> None:
    schema = pack.node(NODE).define_schema()
    assert [socket.id for socket in schema.inputs] == ["faces", "image", "width", "height", "keypoints"]
    assert [socket.optional for socket in schema.inputs] == [True, True, False, False, False]
    assert [socket.id for socket in schema.outputs] == ["faces", "keypoints"]
    assert [i.default for i in schema.inputs[2:]] == [1024, 1024, ""]
    assert schema.category == "Likeness/Regions" and schema.is_output_node


def test_points_that_are_moved_are_drawn_where_they_went(run: Any, astronaut: Any) -> None:
    as_found, text = run(NODE, faces=astronaut).result
    assert as_found.faces[0][0] is astronaut.faces[0][0]
    (entry,) = json.loads(text)
    points = [[x + 100, y + 60] for x, y in entry["points"]]
    moved = run(NODE, faces=astronaut, keypoints=json.dumps([{"face": 0, "points": points}])).result[0]
    (drawn,) = run("LikenessFaceKeypoints", faces=moved).result
    x, y = points[2]
    assert drawn[0, int(y), int(x)].tolist() == [0, 0, 1]
    (mask,) = run("LikenessFaceMask", faces=moved, region="box").result
    assert mask[0, int(y), int(x)] == 1 and mask[0, 100, 180] == 0
    assert torch.equal(
        run("LikenessFaceKeypoints", faces=astronaut).result[0].nonzero(), _drawn(run, as_found)
    )


def _drawn(run: Any, faces: Any) -> torch.Tensor:
    return run("LikenessFaceKeypoints", faces=faces).result[0].nonzero()


def test_faces_are_placed_on_a_picture_or_on_nothing(run: Any, photos: dict[str, np.ndarray]) -> None:
    text = json.dumps([{"points": FIVE}])
    (faces, _) = run(NODE, image=image(photos["chelsea"]), keypoints=text).result
    assert faces.size == (451, 300) and faces.count == 1
    (faces, again) = run(NODE, width=320, height=240, keypoints=text).result
    assert faces.size == (320, 240) and json.loads(again) == [{"points": FIVE}]
    assert run(NODE, width=320, height=240).result[0].count == 0


def test_the_page_is_given_picture_and_points(run: Any, base: Path, astronaut: Any) -> None:
    told = run(NODE, faces=astronaut, keypoints=json.dumps([{"points": FIVE}])).ui
    (picture,), (page,) = told["likeness_pictures"], told["likeness_faces"]
    assert picture["type"] == "temp"
    with Image.open(base / "temp" / picture["subfolder"] / picture["filename"]) as shown:
        shown_pixels = np.asarray(shown.convert("RGB"))
    np.testing.assert_allclose(shown_pixels, astronaut.images[0].numpy() * 255, atol=1)
    assert (page["picture"], page["width"], page["height"]) == (0, 512, 512)
    np.testing.assert_allclose(page["found"][0], astronaut.faces[0][0].keypoints, atol=0.01)
    assert page["placed"] == [FIVE]
    json.dumps(told)


def test_a_batch_that_lost_all_its_pictures_passes(pack: Any, run: Any) -> None:
    Faces = pack.module("likeness.values").Faces
    result = run(NODE, faces=Faces(torch.zeros(0, 64, 64, 3), ()))
    assert result.result[1] == "[]" and result.ui == {"likeness_pictures": [], "likeness_faces": []}


def test_the_help_page_speaks_the_truth(run: Any, astronaut: Any) -> None:
    page = (REPOSITORY / "web" / "docs" / f"{NODE}.md").read_text(encoding="utf-8")
    example = json.loads(page.split("```json")[1].split("```")[0])
    batch = run(NODE, image=astronaut.images.expand(3, -1, -1, -1), keypoints=json.dumps(example[1:]))
    assert [len(found) for found in batch.result[0].faces] == [0, 0, 1]
    assert run(NODE, faces=astronaut, keypoints=json.dumps(example[:1])).result[0].count == 1
    wrong = {
        "keypoints is not JSON: ": "nose",
        "five are needed, or [] for no face": json.dumps([{"points": FIVE[:2]}]),
        "has the nose at 9000, 20, far outside the picture of 512 x 512": json.dumps(
            [{"points": [*FIVE[:2], [9000, 20], *FIVE[3:]]}]
        ),
        "moves the picture's face 1, but it has 1 (counted from 0)": json.dumps(
            [{"face": 1, "points": FIVE}]
        ),
        "all lie within a pixel. They are counted in pixels": json.dumps(
            [{"points": [[x / 512, y / 512] for x, y in FIVE]}]
        ),
    }
    for sentence, text in wrong.items():
        with pytest.raises(ValueError) as caught:
            run(NODE, faces=astronaut, keypoints=text)
        assert sentence in str(caught.value) and sentence in page
