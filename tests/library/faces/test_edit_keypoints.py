"""Keypoints placed by a text: what it may say, and what it does to faces."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest
import torch

from likeness.faces.crops import crop_faces
from likeness.faces.draw import draw_faces
from likeness.faces.edit_keypoints import (
    canvas,
    edit_keypoints,
    keypoints_text,
    page_data,
    page_pictures,
    parse_keypoints,
)
from likeness.faces.keypoints import keypoint_images
from likeness.faces.masks import face_masks
from likeness.values import Face, Faces

FIVE = [[180.25, 250.5], [320.0, 245.0], [255.5, 330.25], [195.75, 410.5], [312.5, 405.75]]
OTHER = [[100, 100], [140, 100], [120, 125], [105, 145], [135, 145]]


def found() -> Face:
    return Face(
        torch.tensor([150.0, 160.0, 350.0, 450.0]),
        torch.tensor(FIVE),
        0.75,
        landmarks=torch.zeros(468, 2),
        embeddings={"sface": torch.ones(128)},
    )


def batch(*counts: int, indices: tuple[int, ...] = ()) -> Faces:
    """Pictures of 512 x 640 with so many faces each."""
    return Faces(torch.zeros(len(counts), 640, 512, 3), tuple((found(),) * n for n in counts), indices)


def text(*entries: Any) -> str:
    return json.dumps(list(entries))


def shifted(points: Any, x: float = 0.0, y: float = 0.0) -> list[list[float]]:
    return [[a + x, b + y] for a, b in points]


@pytest.mark.parametrize("empty", ["", "  \n", "[]"])
def test_no_text_changes_nothing(empty: str) -> None:
    faces = batch(2, 1)
    edited = edit_keypoints(faces, empty)
    assert all(
        old is new
        for a, b in zip(faces.faces, edited.faces, strict=True)
        for old, new in zip(a, b, strict=True)
    )
    assert edited.images is faces.images


def test_a_face_that_is_moved_takes_its_box_along_and_leaves_what_no_longer_holds() -> None:
    faces = batch(1)
    moved = edit_keypoints(faces, text({"face": 0, "points": shifted(FIVE, 30, -20)})).faces[0][0]
    assert torch.allclose(moved.box, torch.tensor([180.0, 140.0, 380.0, 430.0]), atol=1e-3)
    assert moved.keypoints.tolist() == shifted(FIVE, 30, -20)
    assert moved.score == 0.75 and moved.landmarks is None and not moved.embeddings
    assert faces.faces[0][0].keypoints.tolist() == FIVE  # what came in is as it was
    half = [[x / 2, y / 2] for x, y in FIVE]
    small = edit_keypoints(faces, text({"face": 0, "points": half})).faces[0][0]
    assert torch.allclose(small.box, torch.tensor([75.0, 80.0, 175.0, 225.0]), atol=1e-3)


def test_a_face_that_is_not_moved_keeps_everything() -> None:
    rounded = [[round(x + 0.004, 3), y - 0.004] for x, y in FIVE]
    face = edit_keypoints(batch(1), text({"face": 0, "points": rounded})).faces[0][0]
    assert face.embeddings and face.landmarks is not None and face.keypoints.tolist() == FIVE


def test_the_box_holds_points_that_are_pulled_out_of_it() -> None:
    pulled = [*FIVE[:2], [500.0, 600.0], *FIVE[3:]]
    face = edit_keypoints(batch(1), text({"face": 0, "points": pulled})).faces[0][0]
    assert (face.box[:2] <= face.keypoints.amin(0)).all() and (face.box[2:] >= face.keypoints.amax(0)).all()


def test_a_new_face_gets_a_box_like_a_detectors() -> None:
    faces = canvas(None, None, 512, 640)
    face = edit_keypoints(faces, text({"points": OTHER})).faces[0][0]
    x1, y1, x2, y2 = face.box.tolist()
    assert 60 < x1 < 85 and 155 < x2 < 180 and 40 < y1 < 75 and 165 < y2 < 200
    assert face.score == 1.0 and not face.embeddings


def test_named_pictures_hold_what_is_listed_and_others_their_own() -> None:
    faces = batch(2, 1, 1)
    edited = edit_keypoints(
        faces, text({"picture": 1, "points": []}, {"face": 1, "points": OTHER}, {"points": FIVE})
    )
    assert [len(f) for f in edited.faces] == [2, 0, 1]
    assert edited.faces[0][0].score == 0.75 and edited.faces[0][1].score == 1.0
    assert edited.faces[2][0] is faces.faces[2][0]


def test_pictures_are_named_by_their_place_in_the_batch_that_was_searched() -> None:
    faces = batch(1, 1, indices=(2, 5))
    edited = edit_keypoints(faces, text({"points": OTHER}, {"picture": 5, "points": []}))
    assert [len(f) for f in edited.faces] == [1, 0]
    with pytest.raises(ValueError, match=r"for picture 1, but the faces come from pictures 2, 5 \(counted"):
        edit_keypoints(faces, text({"picture": 1, "points": OTHER}))
    none = Faces(torch.zeros(0, 640, 512, 3), ())
    with pytest.raises(ValueError, match="for picture 0, but every one was skipped"):
        edit_keypoints(none, text({"points": OTHER}))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("nose: 3, 4", r"keypoints is not JSON: .*Write a list of faces such as \[\{"),
        ('{"points": []}', r"must be a list of faces, not an object"),
        ("3", "must be a list of faces, not 3"),
        ("[" * 100_000, "keypoints is not JSON"),
        (text(FIVE), r"face 0 of the list \(counted from 0\) is a list \[\.\.\.\]"),
        (text({"points": FIVE}, {}), r"face 1 of the list .* has nothing for points; five are needed"),
        (text({"points": FIVE[:4]}), "has 4 points; five are needed"),
        (text({"points": FIVE, "pictures": 1}), "has 'pictures'. A face has points, picture and face"),
        (text({"points": FIVE, "picture": -1}), "picture must be a whole number from 0, not -1"),
        (text({"points": FIVE, "face": True}), "face must be a whole number from 0, not True"),
        (text({"points": [*FIVE[:2], [1], *FIVE[3:]]}), r"the nose must be two numbers \[x, y\], not \[1\]"),
        (text({"points": [[1, "2"], *FIVE[1:]]}), r"the eye at the left must be two numbers"),
        (text({"points": [[1, float("nan")], *FIVE[1:]]}), r"the eye at the left must be two numbers"),
        (text({"points": [[1, 10**400], *FIVE[1:]]}), r"the eye at the left must be two numbers"),
    ],
)
def test_a_wrong_text_is_explained(wrong: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_keypoints(wrong)


def test_points_that_fit_no_picture_are_explained() -> None:
    faces = batch(1)
    with pytest.raises(ValueError, match=r"the nose at 9000, 20, far outside the picture of 512 x 640"):
        edit_keypoints(faces, text({"points": [*FIVE[:2], [9000, 20], *FIVE[3:]]}))
    parts = [[x / 512, y / 640] for x, y in FIVE]
    with pytest.raises(ValueError, match=r"face 0 of the list all lie within a pixel.*not from 0 to 1"):
        edit_keypoints(faces, text({"points": parts}))
    with pytest.raises(ValueError, match=re.escape("moves the picture's face 1, but it has 1 (counted")):
        edit_keypoints(faces, text({"face": 1, "points": FIVE}))


def test_points_may_leave_the_picture() -> None:
    face = edit_keypoints(batch(1), text({"face": 0, "points": shifted(FIVE, -300)})).faces[0][0]
    assert face.keypoints[0, 0] < 0


def test_what_comes_out_can_be_put_in_again() -> None:
    faces = batch(2, 0, 1)
    written = keypoints_text(faces)
    assert [entry.picture for entry in parse_keypoints(written)] == [None, None, 1, 2]
    again = edit_keypoints(batch(0, 3, 0), written)
    assert [len(f) for f in again.faces] == [2, 0, 1]
    for a, b in zip(sum(faces.faces, ()), sum(again.faces, ()), strict=True):
        assert torch.allclose(a.keypoints, b.keypoints, atol=0.01)
    assert keypoints_text(Faces(torch.zeros(0, 8, 8, 3), ())) == "[]"


def test_no_face_at_all_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert edit_keypoints(batch(0), "").count == 0
    assert "none came in, and none was placed" in caplog.text


def test_the_canvas_is_faces_then_image_then_size(caplog: pytest.LogCaptureFixture) -> None:
    faces, image = batch(1), torch.rand(2, 64, 96, 3)
    with caplog.at_level(logging.INFO):
        assert canvas(faces, image, 8, 8) is faces
    assert "does not use image" in caplog.text
    assert canvas(None, image, 8, 8).images is image and canvas(None, image, 8, 8).faces == ((), ())
    assert canvas(None, None, 300, 200).size == (300, 200) and not canvas(None, None, 300, 200).images.any()
    with pytest.raises(ValueError, match="input image must be an IMAGE"):
        canvas(None, torch.zeros(3, 3), 8, 8)


def test_the_page_is_told_places_sizes_and_points() -> None:
    faces = batch(1, 0, indices=(3, 4))
    (first, second) = page_data(faces, edit_keypoints(faces, text({"points": OTHER})))
    assert (first["picture"], first["width"], first["height"]) == (3, 512, 640)
    assert first["found"] == [FIVE] and first["placed"] == [OTHER]
    assert second == {"picture": 4, "width": 512, "height": 640, "found": [], "placed": []}
    json.dumps([first, second])


def test_the_page_gets_pictures_it_can_show() -> None:
    large = torch.rand(1, 300, 2048, 4)
    shown = page_pictures(large)
    assert shown.shape == (1, 150, 1024, 3)
    assert torch.allclose(shown.mean(), large[..., :3].mean(), atol=1e-4)
    grey = torch.rand(1, 20, 30, 1)
    assert torch.equal(page_pictures(grey), grey.expand(-1, -1, -1, 3))
    assert page_pictures(torch.rand(17, 8, 2048, 3)).shape == (17, 2, 512, 3)


def test_an_empty_picture_takes_no_memory() -> None:
    black = canvas(None, None, 4096, 2048).images
    shown = page_pictures(black)
    assert black.shape == (1, 2048, 4096, 3) and shown.shape == (1, 512, 1024, 3)
    # Compared before pytest sees them: it would write out a whole storage.
    taken = [pixels.untyped_storage().nbytes() for pixels in (black, shown)]
    assert taken == [12, 12]


def test_an_empty_picture_is_like_any_other_black_one() -> None:
    one, many = (
        edit_keypoints(given, text({"points": OTHER}))
        for given in (canvas(None, None, 320, 240), canvas(None, torch.zeros(1, 240, 320, 3), 8, 8))
    )
    for of in (
        lambda faces: draw_faces(faces.images, faces),
        keypoint_images,
        face_masks,
        lambda faces: crop_faces(faces, 64)[0].images,
        lambda faces: page_pictures(faces.images),
    ):
        assert torch.equal(of(one), of(many))
    assert not one.images.any()
