"""The same people through the frames of a clip made of real photos."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.tiny_faces import embedded, image

from likeness.faces.detect import detect
from likeness.faces.embed import embed
from likeness.faces.selection import Wanted, select_faces
from likeness.values import Face, Faces, Identity

Photos = dict[str, np.ndarray]
#: Places of the six faces in each frame: a detector gives no order that lasts.
ORDERS = ((0, 1, 2, 3, 4, 5), (5, 4, 3, 2, 1, 0), (3, 0, 5, 1, 4, 2))
#: Scale and shift of each frame.
MOVES = ((1.0, 0, 0), (0.97, 20, 10), (1.02, -6, 2))
WIDTH, HEIGHT = 640, 443


def moved(picture: torch.Tensor, scale: float, dx: float, dy: float) -> torch.Tensor:
    """A picture [H, W, 3] scaled around its left top and shifted, in its own size."""
    theta = torch.tensor([[[1 / scale, 0, 0], [0, 1 / scale, 0]]], dtype=torch.float32)
    height, width = picture.shape[:2]
    # From pixels to -1..1, and to where each pixel comes from.
    theta[0, 0, 2] = 1 / scale - 1 - 2 * dx / (scale * width)
    theta[0, 1, 2] = 1 / scale - 1 - 2 * dy / (scale * height)
    grid = torch.nn.functional.affine_grid(theta, [1, 3, height, width], align_corners=False)
    plane = picture.movedim(-1, 0)[None]
    return torch.nn.functional.grid_sample(plane, grid, align_corners=False)[0].movedim(0, -1)


@pytest.fixture(scope="module")
def clip(photos: Photos) -> tuple[Faces, list[dict[int, Face]]]:
    """Three frames of the six-face still, and who is who: by frame, the face of person 0, 1, ..."""
    still = image(photos["t1"]).movedim(-1, 1)
    still = torch.nn.functional.interpolate(still, (HEIGHT, WIDTH), mode="area")[0].movedim(0, -1)
    frames = torch.stack([moved(still, *move) for move in MOVES])
    found = detect(embedded(), frames, min_score=0.7)
    assert [len(own) for own in found.faces] == [6, 6, 6]
    first = found.faces[0]
    people = []
    for own, (scale, dx, dy) in zip(found.faces, MOVES, strict=True):
        centres = torch.stack([(f.box[:2] + f.box[2:]) / 2 for f in own])
        expected = torch.stack([(f.box[:2] + f.box[2:]) / 2 for f in first]) * scale + torch.tensor([dx, dy])
        nearest = torch.cdist(expected, centres)
        assert nearest.amin(dim=1).max() < 12
        people.append({person: own[int(place)] for person, place in enumerate(nearest.argmin(dim=1))})
    shuffled = [[own[person] for person in order] for own, order in zip(people, ORDERS, strict=True)]
    return found.with_faces(shuffled), people


@pytest.fixture(scope="module")
def described(clip: tuple[Faces, list[dict[int, Face]]]) -> Faces:
    return embed(embedded(), clip[0], "sface")


def boxes(faces: Faces) -> list[list[list[float]]]:
    return [[face.box.tolist() for face in found] for found in faces.faces]


def of(people: list[dict[int, Face]], *wanted: int) -> list[list[list[float]]]:
    return [[own[person].box.tolist() for person in wanted] for own in people]


def test_people_are_followed_by_boxes(
    clip: tuple[Faces, list[dict[int, Face]]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    faces, people = clip
    selection = select_faces(faces, "index list", "4,1", track=True)
    assert boxes(selection.faces) == of(people, 4, 1)
    assert "people are followed by boxes" in caplog.text
    lines = selection.report.splitlines()
    assert lines[0] == "picture 0 (6 faces): face 4; face 1"
    assert lines[1].startswith("picture 1 (6 faces): face 1, followed 0.")
    plain = select_faces(faces, "index list", "4,1")
    assert boxes(plain.faces) != of(people, 4, 1)


def test_people_are_followed_by_their_faces(clip: tuple[Faces, list[dict[int, Face]]]) -> None:
    faces, people = clip
    models = embedded()
    # The second frame's mirror image leaves nobody where he was.
    jump = torch.stack([faces.images[0], faces.images[1].flip(1), faces.images[2]])
    mirrored = detect(models, jump[1:2]).faces[0]
    cut = Faces(jump, (faces.faces[0], mirrored, faces.faces[2]))
    by_face = select_faces(cut, "left to right", "0,2", Wanted(models=models), track=True)
    first = select_faces(faces, "left to right", "0,2").faces.faces[0]
    who = [next(p for p, face in people[0].items() if face.box.equal(f.box)) for f in first]
    assert boxes(by_face.faces)[2] == of(people, *who)[2]
    expected = [[WIDTH - people[1][p].box[2].item(), WIDTH - people[1][p].box[0].item()] for p in who]
    across = [face.box[[0, 2]].tolist() for face in by_face.faces.faces[1]]
    assert across == [pytest.approx(e, abs=8) for e in expected]
    assert all("sface" in face.embeddings for own in by_face.faces.faces for face in own)
    lost = select_faces(cut, "left to right", "0,2", track=True)
    assert len(lost.faces.faces[1]) < 2 or [f.box[[0, 2]].tolist() for f in lost.faces.faces[1]] != across


def test_everything_else_is_asked_in_the_first_picture_alone(
    clip: tuple[Faces, list[dict[int, Face]]], described: Faces
) -> None:
    _, people = clip
    who = Identity(described.faces[0][2].embeddings["sface"][None], "sface")
    x1, y1, x2, y2 = (round(v) for v in people[0][2].box.tolist())
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, y1:y2, x1:x2] = 1
    selection = select_faces(described, "most similar", "0", Wanted(who, mask=mask), track=True)
    assert boxes(selection.faces) == of(people, 2)
    untracked = select_faces(described, "most similar", "0", Wanted(who))
    assert boxes(untracked.faces) == of(people, 2)


def test_someone_who_leaves_is_missed_and_found_when_back(clip: tuple[Faces, list[dict[int, Face]]]) -> None:
    faces, people = clip
    gone = [[people[0][3]], [people[1][0], people[1][5]], [], [people[2][1], people[2][3]]]
    images = faces.images[[0, 1, 1, 2]]
    selection = select_faces(Faces(images, tuple(map(tuple, gone))), "index list", "0", track=True)
    assert selection.faces.faces == ((people[0][3],), (), (), (people[2][3],))
    lines = selection.report.splitlines()
    assert lines[1] == "picture 1 (2 faces): none: nobody who is followed was found again there"
    assert lines[2] == "picture 2 (0 faces): none: there is no face to choose from"
    assert selection.advice == (
        "Nobody who is followed was found again there: connect face_models, to know people by their faces, "
        "or set if_no_face to skip."
    )


def test_a_clip_that_starts_without_a_choice_is_followed_backwards(
    clip: tuple[Faces, list[dict[int, Face]]],
) -> None:
    faces, people = clip
    found = ((people[0][3],), (people[1][0], people[1][3]), (people[2][0], people[2][3]))
    selection = select_faces(Faces(faces.images, found), "index list", "1", track=True)
    assert selection.faces.faces == ((people[0][3],), (people[1][3],), (people[2][3],))


def test_no_face_is_given_to_two_people() -> None:
    def at(x: float) -> Face:
        return Face(torch.tensor([x, 0, x + 10, 10]), torch.zeros(5, 2))

    a, b = at(0), at(4)
    later = (at(3), at(6))
    faces = Faces(torch.zeros(2, 20, 40, 3), ((a, b), later))
    # Both are nearest to the face at 3: the sum is largest when a takes it and b the other.
    assert select_faces(faces, "index list", "all", track=True).faces.faces[1] == later
    alone = Faces(torch.zeros(2, 20, 40, 3), ((a, b), (later[0],)))
    assert select_faces(alone, "index list", "all", track=True).faces.faces[1] == (later[0],)


def test_the_strictness_of_faces_holds_when_following(described: Faces) -> None:
    strict = select_faces(described, "index list", "0", Wanted(min_similarity=0.999), track=True)
    assert [len(found) for found in strict.faces.faces] == [1, 0, 0]
    assert strict.advice.endswith("lower min_similarity, or set if_no_face to skip.")
