"""Masks of faces and the preview of what was found."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from support.drawn_faces import centre_of
from support.drawn_faces import face as face_at
from support.tiny_faces import embedded, image

from likeness.faces.detect import detect
from likeness.faces.draw import draw_faces
from likeness.faces.masks import face_masks, soften
from likeness.faces.mesh import landmarks
from likeness.values import Face, Faces

Photos = dict[str, np.ndarray]


def one(box: list[float], landmarks: torch.Tensor | None = None, width: int = 80, height: int = 60) -> Faces:
    face = Face(torch.tensor(box), torch.zeros(5, 2), 0.5, landmarks)
    return Faces(torch.zeros(1, height, width, 3), ((face,),))


def test_a_box_covers_parts_of_pixels() -> None:
    mask = face_masks(one([10.25, 20.0, 30.5, 40.0]))
    assert mask.shape == (1, 60, 80)
    assert mask.sum() == pytest.approx(20.25 * 20)
    assert mask[0, 25, 9:12].tolist() == pytest.approx([0, 0.75, 1])
    assert mask[0, 25, 29:32].tolist() == pytest.approx([1, 0.5, 0])
    assert mask[0, 19:21, 15].tolist() == [0, 1]


def test_a_box_thinner_than_a_pixel_keeps_its_area() -> None:
    assert face_masks(one([10.2, 20.0, 10.7, 40.0])).sum() == pytest.approx(10, abs=1e-4)


@pytest.mark.parametrize("region", ["box", "ellipse", "hull"])
def test_growing_moves_the_edge_by_so_many_pixels(region: str) -> None:
    turn = torch.arange(0, 360) * math.pi / 180
    circle = torch.stack([39.5 + 15 * turn.cos(), 29.5 + 15 * turn.sin()], dim=1)
    faces = one([25.0, 15.0, 55.0, 45.0], circle)
    area = {g: float(face_masks(faces, region, g).sum()) for g in (-5, 0, 5)}
    for grow, got in area.items():
        side = 30 + 2 * grow
        expected = side * side if region == "box" else math.pi * (side / 2) ** 2
        assert got == pytest.approx(expected, rel=0.005)


def test_an_ellipse_lies_where_its_box_lies() -> None:
    mask = face_masks(one([10.3, 10.0, 60.9, 50.0]), "ellipse")[0]
    assert mask.sum() == pytest.approx(math.pi * 50.6 / 2 * 20, rel=0.005)
    weights = mask / mask.sum()
    x = (weights.sum(dim=0) * (torch.arange(80) + 0.5)).sum()
    y = (weights.sum(dim=1) * (torch.arange(60) + 0.5)).sum()
    assert [float(x), float(y)] == pytest.approx([35.6, 30.0], abs=0.02)
    assert mask[30, 35] == 1
    assert (
        face_masks(one([20.0, 20.0, 41.0, 41.0]), "ellipse")[0, 30, 30] == 1
    )  # a pixel's centre in the middle


def test_feathering_reaches_so_far_and_no_further() -> None:
    faces = one([20.0, 15.0, 60.0, 45.0])
    hard, soft = face_masks(faces)[0], face_masks(faces, feather=6)[0]
    assert soft[30, 19] == pytest.approx(0.5, abs=0.08)
    assert 0 < soft[30, 14] < soft[30, 17] < soft[30, 20] < 1
    assert soft[30, 12] == 0
    assert soft[30, 30] == pytest.approx(1)
    assert soft.sum() == pytest.approx(float(hard.sum()), rel=1e-3)


def test_feathering_does_not_fade_at_the_pictures_edge() -> None:
    assert face_masks(one([-5.0, -5.0, 90.0, 30.0]), feather=8)[0, 0].min() == pytest.approx(1)


@pytest.mark.parametrize("shift", [0.0, 0.25, 0.6])
def test_a_hull_lies_where_its_landmarks_lie(shift: float) -> None:
    """A tilted square of points, to a part of a pixel; landmarks count from the first pixel's centre."""
    corners = torch.tensor([[40.0, 10], [60, 30], [40, 50], [20, 30], [40, 30]]) - 0.5 + shift
    mask = face_masks(one([20.0, 10, 60, 50], corners), "hull")[0]
    assert mask.sum() == pytest.approx(800, rel=0.002)
    assert centre_of(mask) == pytest.approx([40 + shift, 30 + shift], abs=0.04)


def test_a_hull_of_a_single_place_grows_to_a_disc() -> None:
    mask = face_masks(one([20.0, 10, 60, 50], torch.full((5, 2), 29.5)), "hull", grow=10)[0]
    assert mask.sum() == pytest.approx(math.pi * 100, rel=0.02) and mask[29, 29] == 1


@pytest.mark.parametrize("region", ["box", "ellipse", "hull"])
def test_a_batch_is_its_pictures_alone(region: str) -> None:
    places = ([(20.2, 15.1)], [(60.7, 40.4), (30.0, 30.0)], [], [(2.0, 58.5)])
    found = tuple(tuple(face_at(x, y, 24, 30) for x, y in here) for here in places)
    marked = tuple(tuple(Face(f.box, f.keypoints, 1, f.keypoints * 1.0) for f in here) for here in found)
    batch = face_masks(Faces(torch.zeros(4, 60, 80, 3), marked), region, 2, 5)
    for index, here in enumerate(marked):
        alone = face_masks(Faces(torch.zeros(1, 60, 80, 3), (here,)), region, 2, 5)
        torch.testing.assert_close(alone[0], batch[index], rtol=0, atol=1e-6)


def test_an_edge_too_narrow_to_see_is_sharp() -> None:
    """A Gaussian of no width is 0 / 0."""
    masks = (torch.rand(1, 9, 9, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    for feather in (0.05, 1e-30, 5e-324):
        assert torch.equal(soften(masks, feather), masks)


def test_softening_looks_at_the_filled_part_as_at_the_whole() -> None:
    from kornia.filters import gaussian_blur2d

    masks = torch.zeros(2, 120, 150)
    masks[0, 50:60, 70:90], masks[1, :10, 100:] = 1, 0.5
    whole = gaussian_blur2d(masks[:, None], 25, (6, 6), border_type="replicate")[:, 0]
    assert (soften(masks, 12) - whole).abs().max() < 1e-6
    assert not soften(masks * 0, 12).any()


def test_faces_of_a_picture_are_masked_together() -> None:
    a, b = one([5.0, 5, 15, 15]), one([10.0, 10, 20, 20])
    both = Faces(a.images, ((*a.faces[0], *b.faces[0]),))
    assert torch.equal(face_masks(both), torch.maximum(face_masks(a), face_masks(b)))


def test_a_picture_without_a_face_gives_an_empty_mask_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    faces = Faces(torch.zeros(2, 60, 80, 3), (one([5.0, 5, 15, 15]).faces[0], ()), (3, 8))
    masks = face_masks(faces)
    assert masks[0].any()
    assert not masks[1].any()
    assert [record.getMessage() for record in caplog.records] == [
        "No face in picture 8 (counted from 0): the mask is empty there."
    ]


@pytest.mark.parametrize("region", ["box", "ellipse", "hull"])
def test_a_mask_shrunk_to_nothing_says_so(region: str, caplog: pytest.LogCaptureFixture) -> None:
    corners = torch.tensor([[10.0, 10], [20, 10], [20, 20], [10, 20]])
    assert not face_masks(one([10.0, 10, 20, 20], corners), region, -30).any()
    assert "shrunk to nothing" in caplog.text


def test_bad_regions_and_empty_batches_are_refused() -> None:
    with pytest.raises(ValueError, match="'hair'"):
        face_masks(one([1.0, 1, 2, 2]), "hair")
    with pytest.raises(ValueError, match="every picture was skipped"):
        face_masks(Faces(torch.zeros(0, 8, 8, 3), ()))


def test_the_hull_of_a_real_face_follows_it(photos: Photos) -> None:
    faces = detect(embedded(), image(photos["astronaut"]))
    before = faces.images.clone()
    mask = face_masks(faces, "hull")[0]
    x1, y1, x2, y2 = faces.faces[0][0].box.tolist()
    box = (x2 - x1) * (y2 - y1)
    assert 0.6 * box < mask.sum() < 1.2 * box
    for x, y in faces.faces[0][0].keypoints.tolist():
        assert mask[int(y), int(x)] == 1
    assert mask[int(y1) + 3, int(x1) + 3] == 0  # a corner of the box
    assert torch.equal(faces.images, before)
    assert faces.faces[0][0].landmarks is None


@pytest.mark.parametrize("angle", [0, 35, -60])
def test_the_mesh_follows_a_tilted_head(photos: Photos, angle: int) -> None:
    import cv2

    turn = cv2.getRotationMatrix2D((223.5, 120.0), angle, 1.0)
    tilted = cv2.warpAffine(photos["astronaut"], turn, (512, 512))
    straight = detect(embedded(), image(photos["astronaut"])).faces[0][0]
    corners = (
        straight.box[torch.tensor([[0, 1], [2, 1], [0, 3], [2, 3]])].numpy() @ turn[:, :2].T + turn[:, 2]
    )
    points = straight.keypoints.numpy() @ turn[:, :2].T + turn[:, 2]
    face = Face(
        torch.tensor([*corners.min(axis=0), *corners.max(axis=0)], dtype=torch.float32),
        torch.tensor(points, dtype=torch.float32),
    )
    expected = landmarks(torch.from_numpy(photos["astronaut"]), straight).numpy() @ turn[:, :2].T + turn[:, 2]
    off = np.linalg.norm(landmarks(torch.from_numpy(tilted), face).numpy() - expected, axis=1)
    assert off.mean() < 2.0


def test_the_mesh_agrees_with_the_detectors_points(photos: Photos) -> None:
    faces = detect(embedded(), image(photos["t1"]))
    for face in faces.faces[0]:
        mesh = landmarks(torch.from_numpy(photos["t1"]), face)
        side = float((face.box[2:] - face.box[:2]).max())
        # Outer and inner corner of each eye, tip of the nose, corners of the mouth.
        seen = torch.stack(
            [(mesh[33] + mesh[133]) / 2, (mesh[263] + mesh[362]) / 2, mesh[1], mesh[61], mesh[291]]
        )
        assert (seen - face.keypoints).norm(dim=1).mean() < 0.1 * side, face


def test_drawing_changes_a_copy_and_only_under_the_lines(photos: Photos) -> None:
    images = image(photos["astronaut"], photos["astronaut"])
    faces = detect(embedded(), images[1:])
    rgba = torch.cat([images, torch.rand(2, 512, 512, 1)], dim=-1)
    before = rgba.clone()
    moved = Faces(faces.images, faces.faces, (1,))
    drawn = draw_faces(rgba, moved)
    assert torch.equal(rgba, before)
    assert torch.equal(drawn[0], rgba[0])
    assert torch.equal(drawn[..., 3], rgba[..., 3])
    changed = (drawn[1] != rgba[1]).any(dim=-1)
    assert 300 < changed.sum() < 6000
    assert not changed[:30].any()
    assert not changed[190:].any()
    x1, _, x2, y2 = (round(v) for v in faces.faces[0][0].box.tolist())
    assert drawn[1, y2 - 5, x1, :3].tolist() == drawn[1, y2 - 5, x2, :3].tolist() == [0, 1, 0]


def test_lines_grow_with_the_picture() -> None:
    def green(scale: int) -> int:
        faces = one(
            [20.0 * scale, 30.0 * scale, 90.0 * scale, 90.0 * scale], width=300 * scale, height=300 * scale
        )
        return int((draw_faces(faces.images, faces)[..., 1] == 1).sum())

    assert green(4) > 8 * green(1)


def test_a_face_at_the_edge_and_grey_and_half_pictures_are_drawn() -> None:
    faces = one([-20.0, -10.0, 400.0, 300.0])
    assert draw_faces(torch.zeros(1, 60, 80, 3, dtype=torch.float16), faces).dtype == torch.float16
    assert draw_faces(torch.zeros(1, 60, 80, 1), faces).shape == (1, 60, 80, 1)


def test_a_batch_from_which_the_same_pictures_were_taken_fits() -> None:
    two = Faces(torch.zeros(2, 60, 80, 3), (one([5.0, 30, 25, 55]).faces[0],) * 2, (1, 5))
    assert (draw_faces(two.images, two) != 0).flatten(1).any(dim=1).all()
    with pytest.raises(ValueError, match=r"pictures \[1, 5\].*holds 3"):
        draw_faces(torch.zeros(3, 60, 80, 3), two)


def test_a_picture_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"80 x 64.*80 x 60"):
        draw_faces(torch.zeros(1, 64, 80, 3), one([5.0, 5, 15, 15]))
