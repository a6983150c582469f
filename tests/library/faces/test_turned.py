"""Photos that lie on their side or stand on their head: the same person is found, at the price of a pass."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support.counting import CountingSession
from support.tiny_faces import embedded, image

from likeness.faces import turned
from likeness.faces.align import TEMPLATE
from likeness.faces.crops import crop_faces
from likeness.faces.detect import detect, search
from likeness.faces.embed import embed
from likeness.faces.host_boxes import boxes_from_faces, faces_in_boxes
from likeness.values import Face

Photos = dict[str, np.ndarray]

PEOPLE = ("obama", "obama2", "obama3", "biden", "astronaut")
#: The angles of a photo, and of one with corners cut off: each person has some of their own, and all together
#: every 15 degrees. A look takes a second.
WHOLE = {"biden": range(15, 360, 45), "astronaut": range(30, 360, 45), "obama2": range(45, 360, 90)}
CUT = {"astronaut": range(0, 360, 45), "biden": range(45, 360, 90), "obama2": range(45, 360, 90)}
QUARTERS = range(0, 360, 90)
TABLE = [(name, table is WHOLE, table.get(name, QUARTERS)) for table in (WHOLE, CUT) for name in PEOPLE]


def smaller(photo: np.ndarray, side: int = 400) -> np.ndarray:
    """So that the table of all angles takes seconds."""
    shrunk = Image.fromarray(photo)
    shrunk.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(shrunk)


def turn(photo: np.ndarray, degrees: float, enlarge: bool = True) -> np.ndarray:
    """About its middle, clockwise; black beyond."""
    return np.asarray(Image.fromarray(photo).rotate(-degrees, Image.Resampling.BICUBIC, expand=enlarge))


def there(points: torch.Tensor, photo: np.ndarray, degrees: float, enlarge: bool = True) -> torch.Tensor:
    """Where points [n, 2] of a photo are after `turn`."""
    new = turn(photo, degrees, enlarge).shape
    middle, to = (torch.tensor([(s[1] - 1) / 2, (s[0] - 1) / 2]) for s in (photo.shape, new))
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return (points - middle) @ torch.tensor([[cos, sin], [-sin, cos]]) + to


def largest(photo: np.ndarray) -> Face | None:
    """As Select Faces takes it, with its vector."""
    faces = detect(embedded(), image(photo))
    if not faces.faces[0]:
        return None
    face = max(faces.faces[0], key=lambda one: one.area)
    return embed(embedded(), faces.with_faces([[face]]), "sface").faces[0][0]


def alike(a: Face, b: Face) -> float:
    return float(torch.cosine_similarity(a.embeddings["sface"], b.embeddings["sface"], dim=0))


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """One entry for each pass of the detector while the test runs."""
    detector = embedded().detector()
    counting = CountingSession(detector.session)
    monkeypatch.setattr(detector, "session", counting)
    yield counting.runs


def around(photo: np.ndarray) -> np.ndarray:
    """A square of some three faces' width, so that the face stays in it when it is turned and cut."""
    (face,) = search(embedded().detector(), photo, 0.5)
    x1, y1, x2, y2 = face.box.tolist()
    half = min(round(1.6 * (y2 - y1)), *(side // 2 for side in photo.shape[:2]))
    x = min(max(round((x1 + x2) / 2), half), photo.shape[1] - half)
    y = min(max(round((y1 + y2) / 2), half), photo.shape[0] - half)
    return photo[y - half : y + half, x - half : x + half]


@pytest.mark.parametrize(("name", "enlarge", "angles"), TABLE)
def test_at_every_angle_the_same_person_is_found(
    photos: Photos, name: str, enlarge: bool, angles: range
) -> None:
    photo = smaller(photos[name] if enlarge else around(photos[name]))
    upright = largest(photo)
    assert upright is not None
    likenesses, off = {}, {}
    for degrees in angles:
        face = largest(turn(photo, degrees, enlarge))
        likenesses[degrees] = 0.0 if face is None else alike(face, upright)
        if face is not None:
            expected = there(upright.keypoints, photo, degrees, enlarge)
            width = float(upright.box[2] - upright.box[0])
            off[degrees] = float((face.keypoints - expected).norm(dim=1).max()) / width
    assert min(likenesses.values()) >= 0.6, likenesses
    assert np.mean(list(likenesses.values())) >= 0.9
    assert max(off.values()) <= 0.12, off  # in widths of the face


@pytest.mark.parametrize("name", PEOPLE)
def test_an_upright_photo_costs_one_pass(photos: Photos, name: str, passes: list[int]) -> None:
    detect(embedded(), image(photos[name]))
    assert len(passes) == 1


def test_a_turned_face_costs_two_more_and_a_batch_what_its_pictures_cost(
    photos: Photos, passes: list[int]
) -> None:
    astronaut = photos["astronaut"]
    on_its_head = np.ascontiguousarray(astronaut[::-1, ::-1])
    faces = detect(embedded(), image(astronaut, on_its_head, astronaut))
    # The picture, her face upright, and the picture upright, for those whom the detector missed.
    assert len(passes) == 1 + 3 + 1
    upright, turned_face, again = (found[0] for found in faces.faces)
    assert torch.equal(upright.keypoints, again.keypoints)
    assert (511 - turned_face.keypoints - upright.keypoints).abs().max() < 8
    x1, y1, x2, y2 = upright.box.tolist()
    assert turned_face.box.tolist() == pytest.approx([512 - x2, 512 - y2, 512 - x1, 512 - y1], abs=8)


def test_a_picture_without_a_face_stays_without(photos: Photos, passes: list[int]) -> None:
    # In the others the detector sees a face as they stand.
    views = [("chelsea", 0), ("chelsea", 1), ("coffee", 0), ("coffee", 3)]
    for name, quarters in views:
        assert detect(embedded(), image(np.rot90(photos[name], quarters).copy())).count == 0
    # 9 as it stands; turned three times, at one size and, where that shows nothing, with a border.
    assert len(views) * (9 + 3) < len(passes) <= len(views) * (9 + 3 * 2)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_group_is_found_whole(photos: Photos, degrees: int) -> None:
    group = photos["t1"]
    upright = embed(embedded(), detect(embedded(), image(group)), "sface").faces[0]
    found = embed(embedded(), detect(embedded(), image(turn(group, degrees))), "sface").faces[0]
    assert len(found) == len(upright) == 6
    for face in upright:
        place = there(face.keypoints, group, degrees)
        nearest = min(found, key=lambda one: float((one.keypoints - place).norm()))
        assert alike(nearest, face) >= 0.6
    assert [face.score for face in found] == sorted((face.score for face in found), reverse=True)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_face_that_fills_the_frame_is_found_turned(photos: Photos, quarters: int) -> None:
    close = photos["astronaut"][84:166, 188:260]
    upright, found = largest(close), largest(np.rot90(close, quarters).copy())
    assert upright is not None and found is not None
    assert alike(upright, found) >= 0.6


def test_lower_the_threshold_and_max_faces_still_keeps_the_best(photos: Photos) -> None:
    lying = image(np.rot90(photos["t1"]).copy())
    every = detect(embedded(), lying, min_score=0.3).faces[0]
    kept = detect(embedded(), lying, min_score=0.3, max_faces=2).faces[0]
    assert [face.score for face in kept] == [face.score for face in every[:2]]


def test_the_box_of_a_turned_face_is_as_large_as_upright(photos: Photos) -> None:
    photo = smaller(photos["obama"])
    upright = largest(photo)
    assert upright is not None
    for degrees in (45, 90, 135, 180):
        face = largest(turn(photo, degrees))
        assert face is not None
        middle = (upright.box[:2] + upright.box[2:])[None] / 2
        away = (face.box[:2] + face.box[2:]) / 2 - there(middle, photo, degrees)[0]
        size = float((upright.box[2:] - upright.box[:2]).max())
        assert float(away.norm()) < 0.12 * size
        assert face.area == pytest.approx(upright.area, rel=0.3)


def test_everything_after_it_gets_a_face_that_stands(photos: Photos) -> None:
    photo = smaller(photos["biden"])
    lying = image(turn(photo, 120))
    _, inside = crop_faces(detect(embedded(), lying), 256, 0.5, "upright")
    left, right, nose, *mouth = inside.faces[0][0].keypoints
    assert left[0] < right[0] and abs(float(left[1] - right[1])) < 12
    assert left[1] < nose[1] < mouth[0][1]
    found, _, _ = faces_in_boxes(embedded(), lying, boxes_from_faces(detect(embedded(), lying)))
    again = embed(embedded(), found, "sface").faces[0][0]
    upright = largest(photo)
    assert upright is not None and alike(again, upright) >= 0.6


def test_a_detector_that_finds_nothing_there_leaves_the_mesh_to_say(photos: Photos) -> None:
    photo = photos["astronaut"]
    (upright,) = search(embedded().detector(), photo, 0.5)
    lying = np.rot90(photo).copy()
    guess = Face(torch.tensor([63.0, 242, 174, 332]), TEMPLATE + torch.tensor([62.0, 230]), 0.8)
    (face,), others = turned.set_right(lambda rgb, size: (), lying, [guess])
    assert not others
    assert (face.keypoints - there(upright.keypoints, photo, -90)).norm(dim=1).max() < 10


def test_a_face_keeps_its_size_and_place_when_it_is_carried_around() -> None:
    face = Face(torch.tensor([10.0, 20, 30, 60]), TEMPLATE, 0.9)
    picture = np.zeros((50, 70, 3), np.uint8)
    for quarters, (seen, angle, back) in zip((1, 3, 2), turned.quarter_turns(picture), strict=True):
        assert seen.shape == np.rot90(picture, quarters).shape
        assert math.isclose(angle, quarters * math.pi / 2)
        corner = torch.tensor([[0.0, 0.0], [seen.shape[1], seen.shape[0]]], dtype=torch.float64)
        assert {tuple(p) for p in turned.transform(back, corner).abs().tolist()} <= {
            (0.0, 0.0), (70.0, 50.0), (70.0, 0.0), (0.0, 50.0),
        }  # fmt: skip
        carried = turned.carried(face, back)
        width, height = (carried.box[2:] - carried.box[:2]).tolist()
        assert {round(width), round(height)} == {20, 40}
        assert carried.score == 0.9


@pytest.mark.parametrize("view", [0.0, math.pi / 2])
def test_who_stands_as_the_detector_looked_is_believed(photos: Photos, view: float) -> None:
    calls: list[Any] = []
    (upright,) = search(embedded().detector(), photos["astronaut"], 0.5)
    picture, face = photos["astronaut"], upright
    if view:
        picture = np.rot90(picture, -1).copy()
        face = turned.carried(
            upright, torch.tensor([[0.0, -1.0, 512.0], [1.0, 0.0, 0.0]], dtype=torch.float64)
        )
    sure, others = turned.set_right(lambda rgb, size: calls.append(size) or (), picture, [face], view)
    assert sure == [face] and not others and not calls
