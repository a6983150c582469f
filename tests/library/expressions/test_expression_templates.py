"""Expression templates: aligned, masked, by hand; pictures without a face. Spec C.1, C9."""

from __future__ import annotations

import logging
import math
from typing import Any

import numpy as np
import pytest
import torch
from support.drawn_faces import POINTS, centre_of, turned

from installer.paths import shared_models
from likeness.expressions.templates import How, make_templates
from likeness.faces.align import invert, transform
from likeness.faces.detect import detect
from likeness.faces.models import FaceModels
from likeness.faces.template import FIVE, outline, template, template_of_box, with_landmarks
from likeness.values import Face, Faces

SIDE = 400


@pytest.fixture(scope="module")
def models() -> FaceModels:
    return FaceModels.open("embedded", "CPU", [shared_models() / "insightface"])


def as_image(photo: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(photo.copy())[None].float() / 255


def drawn(degrees: float, high: float = 100, x: float = 200, y: float = 190) -> tuple[torch.Tensor, Face]:
    """A white picture with a dark spot at each of the five points; 68 landmarks on an ellipse around it."""
    scale = high / 100
    points = turned(POINTS * scale, degrees, (x, y))
    angles = torch.arange(68) * (2 * math.pi / 68)
    ring = torch.stack([34 * angles.cos(), 6 + 42 * angles.sin()], dim=1) * scale
    columns, rows = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="xy")
    places = torch.stack([columns, rows], dim=-1).float()
    spots = sum(torch.exp(-((places - p) ** 2).sum(-1) / (2 * (3 * scale) ** 2)) for p in points)
    picture = (1 - torch.as_tensor(spots).clamp(0, 0.9))[..., None].expand(-1, -1, 3).contiguous()
    box = torch.tensor([x - 40 * scale, y - 50 * scale, x + 40 * scale, y + 50 * scale])
    return picture, Face(box, points, 0.9, turned(ring, degrees, (x, y)))


def spots(cut: torch.Tensor) -> list[list[float]]:
    """Where the five dark spots of a template lie: the centres of gravity of what is dark around FIVE."""
    found = []
    for x, y in (FIVE * len(cut)).tolist():
        left, top = int(x) - 12, int(y) - 12
        dark = 1 - cut[top : top + 24, left : left + 24, 0]
        cx, cy = centre_of((dark - 0.3).clamp(min=0))
        found.append([left + cx, top + cy])
    return found


# C9: one face, however it lies


@pytest.mark.parametrize(
    ("degrees", "high", "x", "y"), [(30, 100, 200, 190), (-30, 130, 230, 210), (0, 60, 90, 90)]
)
def test_a_turned_scaled_shifted_face_gives_the_same_template(
    degrees: float, high: float, x: float, y: float
) -> None:
    wanted, _ = template(*drawn(0))
    found, _ = template(*drawn(degrees, high, x, y))
    away = (torch.tensor(spots(found)) - torch.tensor(spots(wanted))).norm(dim=1)
    assert float(away.max()) <= 2
    assert float((found - wanted).abs().mean()) < 0.02


@pytest.mark.parametrize("degrees", [30, -30])
def test_a_real_face_turned_gives_the_same_template(
    models: FaceModels, photos: dict[str, np.ndarray], degrees: int
) -> None:
    """Although the detector's points lag behind a turn: the mesh's do not."""
    from PIL import Image

    upright = Image.fromarray(photos["astronaut"])
    marks = []
    for picture in (upright, upright.rotate(degrees, Image.Resampling.BICUBIC, center=(222, 112))):
        image = as_image(np.asarray(picture))
        face = with_landmarks(image[0], detect(models, image).faces[0][0])
        _, matrix = template(image[0], face)
        marks.append(transform(matrix, face.landmarks.double() + 0.5))
    away = (marks[0] - marks[1]).norm(dim=1)
    assert float(away.mean()) <= 2 and float(away.max()) <= 6


def test_the_map_takes_the_five_points_to_their_places() -> None:
    picture, face = drawn(25)
    cut, matrix = template(picture, face, size=128)
    assert cut.shape == (128, 128, 3) and cut.dtype == torch.float32
    linear = matrix[:, :2]
    assert torch.allclose(linear @ linear.T, linear.det() * torch.eye(2, dtype=torch.float64))  # no shear
    placed = transform(matrix, face.keypoints.double() + 0.5)
    assert float((placed - FIVE * 128).norm(dim=1).max()) < 6  # the drawn face is not quite ArcFace's


def test_outside_of_the_outline_all_is_black() -> None:
    picture, face = drawn(0)
    cut, matrix = template(picture, face)
    edge = transform(matrix, outline(face))
    middle, reach = edge.mean(dim=0), edge.amax(dim=0) - edge.amin(dim=0)
    grown = (edge - middle) * (1 + 2 * (0.03 + 1.5 / float(reach.max())) * 1.3) + middle
    down, across = torch.meshgrid(torch.arange(224) + 0.5, torch.arange(224) + 0.5, indexing="ij")
    radii = (grown - middle).abs().amax(dim=0)
    outside = ((across - middle[0]) / radii[0]) ** 2 + ((down - middle[1]) / radii[1]) ** 2 > 1
    assert outside.float().mean() > 0.3 and not cut[outside].any()
    inner = ((across - middle[0]) / radii[0]) ** 2 + ((down - middle[1]) / radii[1]) ** 2 < 0.75
    bare, _ = template(picture, face, mask_outside=False)
    assert torch.equal(cut[inner], bare[inner])
    assert bare[outside].min() > 0.5  # the white picture


def test_black_where_the_picture_ends() -> None:
    picture, face = drawn(0, x=20)
    cut, matrix = template(picture, face, mask_outside=False)
    edge = float(transform(matrix, torch.zeros(1, 2, dtype=torch.float64))[0, 0])
    assert edge > 50 and not cut[:, : int(edge)].any() and cut[30, int(edge) + 2].all()


def test_a_forehead_is_left_out(models: FaceModels, photos: dict[str, np.ndarray]) -> None:
    image = as_image(photos["astronaut"])
    face = with_landmarks(image[0], detect(models, image).faces[0][0])
    mesh = face.landmarks
    top = float(outline(face)[:, 1].min())
    assert float(mesh[:, 1].min()) + 8 < top < float(face.keypoints[:2, 1].min())
    assert float(outline(face)[:, 1].max()) == pytest.approx(float(mesh[:, 1].max()) + 0.5, abs=1e-3)


def test_unaligned_keeps_the_turn() -> None:
    picture, face = drawn(30)
    _, matrix = template(picture, face, align=False, mask_outside=False)
    assert abs(float(matrix[0, 1])) < 1e-12 and float(matrix[0, 0]) > 0
    centre = transform(invert(matrix), torch.full((1, 2), 112, dtype=torch.float64))[0]
    assert centre.tolist() == pytest.approx([200, 190])


# By hand


def test_a_box_by_hand_needs_no_face() -> None:
    picture = torch.full((1, 200, 300, 3), 0.5)
    picture[:, 60:140, 100:220] = 1
    made = make_templates(picture, None, How(box=(100, 60, 120, 80)))
    assert made.ok and made.images.shape == (1, 224, 224, 3)
    assert float(made.images[0, 112, 112, 0]) == 1
    corner, below = made.images[0, 40, 4, 0], made.images[0, 20, 112, 0]
    assert corner == 0 and below == 0  # outside of the ellipse
    square = make_templates(picture, None, How(box=(100, 60, 120, 80), mask_outside=False)).images[0]
    assert float(square[20, 112, 0]) == pytest.approx(0.5) and float(square[112, 2, 0]) == 1
    assert not torch.equal(made.preview, picture) and made.preview.shape == picture.shape


def test_the_box_is_a_similarity() -> None:
    _, matrix = template_of_box(torch.zeros(100, 100, 3), (10, 20, 40, 80), 160)
    assert torch.equal(matrix, torch.tensor([[2.0, 0, 20], [0, 2.0, -40]], dtype=torch.float64))


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((5, 5, 0, 10), "box_width is 0 and box_height 10"),
        ((0, 0, 10, 0), "box_width is 10 and box_height 0"),
        ((300, 0, 10, 10), "lies outside of the picture, which is 300 x 200"),
        ((-20, 0, 10, 10), "lies outside of the picture"),
    ],
)
def test_a_box_that_is_none_is_told(box: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_templates(torch.zeros(1, 200, 300, 3), None, How(box=box))


# Pictures without a face


@pytest.fixture(scope="module")
def mixed(models: FaceModels, photos: dict[str, np.ndarray]) -> Faces:
    """A face, and a cat's picture."""
    cat = np.pad(photos["chelsea"], ((0, 212), (0, 61), (0, 0)))
    return detect(models, torch.cat([as_image(photos["astronaut"]), as_image(cat)]))


def test_no_face_is_an_error_that_says_what_to_do(mixed: Faces) -> None:
    with pytest.raises(ValueError, match=r"No face in picture 1 \(counted from 0\).*box_width"):
        make_templates(None, mixed, How())


def test_skipped_and_passed_on(mixed: Faces) -> None:
    skipped = make_templates(None, mixed, How(if_no_face="skip"))
    assert len(skipped.images) == 1 and not skipped.ok and len(skipped.preview) == 2
    passed = make_templates(None, mixed, How(if_no_face="pass through"))
    assert len(passed.images) == 2 and not passed.ok
    assert torch.equal(passed.images[0], skipped.images[0])
    assert torch.equal(passed.preview[1], mixed.images[1])  # nothing was found, nothing drawn
    assert passed.images[1, :5, :5].any()  # the middle of the picture, not masked
    alone = Faces(mixed.images[1:], (mixed.faces[1],))
    nothing = make_templates(None, alone, How(if_no_face="skip"))
    assert len(nothing.images) == 0 and not nothing.ok


def test_an_image_alone_is_searched(photos: dict[str, np.ndarray], models: FaceModels) -> None:
    image = as_image(photos["astronaut"])
    before = image.clone()
    made = make_templates(None, detect(models, image), How())
    assert made.ok and torch.equal(image, before)
    with pytest.raises(ValueError, match="connect image, or faces"):
        make_templates(None, None, How())


def test_doubt_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    picture, face = drawn(0)
    doubtful = Face(face.box, face.keypoints, 0.55, face.landmarks)
    with caplog.at_level(logging.INFO):
        make_templates(None, Faces(picture[None], ((doubtful, doubtful),)), How())
    assert "not sure of the face in picture 0 (0.55)" in caplog.text
    assert "largest of 2 faces" in caplog.text


def test_alpha_and_grey_are_taken(mixed: Faces) -> None:
    picture, face = drawn(0)
    wanted, _ = template(picture, face)
    for shown in (torch.cat([picture, torch.rand(SIDE, SIDE, 1)], dim=-1), picture[..., :1]):
        found = make_templates(None, Faces(shown[None], ((face,),)), How())
        assert torch.allclose(found.images[0], wanted)
