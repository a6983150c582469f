"""Cutting faces out: which square, which pixels, which face lies where in it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from support.drawn_faces import POINTS, centre_of, disc, face, noise, turned
from support.tiny_faces import embedded, image

from likeness.faces.crops import crop_faces, crop_masks
from likeness.faces.detect import detect
from likeness.faces.squares import face_map, middle_map, moved
from likeness.values import Crops, Face, Faces

Photos = dict[str, np.ndarray]

# ---- which square


def test_a_straight_crop_at_its_own_size_is_a_cut_out() -> None:
    pictures = noise(1, 300, 400, 3)
    crops, _ = crop_faces(Faces(pictures, ((face(200, 150),),)), 200, 0.5, "straight")
    assert crops.images.shape == (1, 200, 200, 3)
    assert (crops.images - pictures[:, 50:250, 100:300]).abs().max() < 1e-4


def test_the_margin_is_in_parts_of_the_face() -> None:
    for margin in (0.0, 0.5, 1.25):
        across = face_map(face(200, 150, 80, 30), margin)[:, 0]
        assert float(across.norm()) == pytest.approx(80 * (1 + 2 * margin))


@pytest.mark.parametrize("degrees", [-120, -33, 0, 15, 90])
def test_eyes_are_level_and_the_face_is_in_the_middle(degrees: float) -> None:
    found = face(200.3, 151.7, 100, degrees)
    inside = moved(found, face_map(found), 512)
    left, right = inside.keypoints[:2]
    assert left[1] == pytest.approx(float(right[1]), abs=1e-3) and left[0] < right[0]
    assert ((inside.box[:2] + inside.box[2:]) / 2).tolist() == pytest.approx([256, 256], abs=1e-3)
    assert inside.keypoints[2:4, 1].tolist() == pytest.approx(
        [256 + 2.56 * 6 - 0.5, 256 + 2.56 * 24 - 0.5], abs=0.01
    )


def test_the_box_turns_in_quarters() -> None:
    lying = Face(torch.tensor([100.0, 100, 200, 180]), turned(POINTS, 90, (150, 140)))
    sides = moved(lying, face_map(lying), 200).box
    assert (sides[2:] - sides[:2]).tolist() == pytest.approx([80, 100])
    tilted = Face(lying.box, turned(POINTS, 30, (150, 140)))
    sides = moved(tilted, face_map(tilted), 200).box
    assert (sides[2:] - sides[:2]).tolist() == pytest.approx([100, 80])


@pytest.mark.parametrize("degrees", [0, 40])
@pytest.mark.parametrize("narrow", [False, True])
def test_ffhq_frames_are_those_of_the_data_set(degrees: float, narrow: bool) -> None:
    """Spec 2.7 by hand: eyes 36 apart, mouth 36 below them; or eyes 10 apart."""
    points = POINTS.clone()
    if narrow:
        points[:2, 0] = torch.tensor([-5.0, 5.0])
    square = face_map(Face(torch.zeros(4), turned(points, degrees, (300, 200))), 7.0, "ffhq")
    half = 1.8 * 36 if narrow else 2.0 * 36
    assert float(square[:, 0].norm()) == pytest.approx(2 * half, rel=1e-5)
    middle = square[:, :2].sum(dim=1) / 2 + square[:, 2]
    expected = turned(torch.tensor([[0.0, -12 + 3.6]]), degrees, (300.5, 200.5))[0]
    assert middle.tolist() == pytest.approx(expected.tolist(), abs=1e-4)
    angle = math.degrees(math.atan2(float(square[1, 0]), float(square[0, 0])))
    assert angle == pytest.approx(degrees, abs=1e-3)


def test_the_middle_of_a_picture_is_its_largest_square() -> None:
    assert middle_map((400, 300)).tolist() == [[300, 0, 50], [0, 300, 0]]


# ---- which pixels


@pytest.mark.parametrize("degrees", [0, 15, 40, 90])
@pytest.mark.parametrize("size", [64, 200, 512])
def test_pixels_lie_where_the_map_says(size: int, degrees: float) -> None:
    """A disc beside the middle, made smaller, larger and turned: right to a few hundredths of a pixel."""
    found = face(200.3, 160.6, 100, degrees)
    pictures = disc(320, 400, 221.4, 139.2, 17.3)
    crops, _ = crop_faces(Faces(pictures, ((found,),)), size)
    back = torch.linalg.inv(torch.cat([crops.maps[0], torch.tensor([[0.0, 0, 1]]).double()]))
    expected = (back @ torch.tensor([221.4, 139.2, 1]).double())[:2] * size
    assert centre_of(crops.images[0, ..., 0]) == pytest.approx(expected.tolist(), abs=0.02)
    assert crops.images[0, ..., 0].sum() == pytest.approx(math.pi * 17.3**2 * (size / 200) ** 2, rel=0.01)


@pytest.mark.parametrize("degrees", [0, 30])
def test_small_crops_of_fine_patterns_are_averages(degrees: float) -> None:
    checks = (torch.arange(600)[:, None] + torch.arange(600)[None, :]) % 2
    pictures = checks[None, ..., None].expand(-1, -1, -1, 3).float()
    crops, _ = crop_faces(Faces(pictures, ((face(300, 300, 220, degrees),),)), 120)
    assert (crops.images - 0.5).abs().max() < 0.02


def test_where_the_picture_ends_its_edge_goes_on() -> None:
    pictures = noise(1, 200, 200, 3)
    crops, _ = crop_faces(Faces(pictures, ((face(20, 100, 100),),)), 200, 0.5, "straight")
    beyond = crops.images[0, :, :80]
    assert (beyond - pictures[0, :, :1]).abs().max() < 1e-4
    far, _ = crop_faces(Faces(pictures, ((face(-900, -900, 100),),)), 64)
    assert (far.images - pictures[0, 0, 0]).abs().max() < 1e-4


def test_every_face_of_every_picture_in_order_and_alone_as_in_the_batch() -> None:
    pictures = noise(3, 200, 260, 3)
    found = ((face(80, 90), face(150, 100, 60, 20)), (face(120, 100, 90, -40),), (face(60, 60, 50),))
    crops, inside = crop_faces(Faces(pictures, found, (0, 4, 7)), 96)
    assert crops.pictures == (0, 0, 1, 2) and crops.indices == (0, 4, 7) and crops.size == (260, 200)
    assert inside.images is crops.images and [len(here) for here in inside.faces] == [1] * 4
    number = 0
    for index, here in enumerate(found):
        for one in here:
            alone, _ = crop_faces(Faces(pictures[index : index + 1], ((one,),)), 96)
            torch.testing.assert_close(alone.images[0], crops.images[number], rtol=0, atol=1e-6)
            number += 1


def test_half_precision_grey_and_alpha_pictures() -> None:
    pictures, here = noise(1, 200, 200, 4), ((face(100, 100, 80, 10),),)
    before = pictures.clone()
    rgb, _ = crop_faces(Faces(pictures[..., :3], here), 64)
    rgba, _ = crop_faces(Faces(pictures, here), 64)
    half, _ = crop_faces(Faces(pictures.half(), here), 64)
    grey, _ = crop_faces(Faces(pictures[..., :1], here), 64)
    assert torch.equal(rgb.images, rgba.images) and torch.equal(pictures, before)
    assert half.images.dtype == torch.float32 and (half.images - rgb.images).abs().max() < 1e-3
    assert torch.equal(grey.images[..., 2], rgb.images[..., 0])


def test_broken_pixels_are_told() -> None:
    """With landmarks on the faces nobody looked at the picture before."""
    pictures = noise(2, 200, 200, 3)
    for broken in (float("nan"), float("inf")):
        pictures[1, 100, 90, 2] = broken
        faces = Faces(pictures, ((face(100, 100),), (face(100, 100),)))
        with pytest.raises(ValueError, match=r"The input faces holds NaN or infinity in picture 1 \(counted"):
            crop_faces(faces, 64)


# ---- which face


def test_landmarks_and_vectors_come_along() -> None:
    marks = torch.cat([POINTS + 100, torch.arange(5.0)[:, None]], dim=1)
    found = Face(torch.tensor([60.0, 50, 140, 150]), POINTS + 100, 0.7, marks, {"sface": torch.ones(4)})
    inside = moved(found, face_map(found, 0.5, "straight"), 100)
    assert (inside.landmarks[:, 2] - marks[:, 2] / 2).abs().max() < 1e-5  # depth is in pixels, too
    assert (inside.landmarks[:, :2] - inside.keypoints).abs().max() < 1e-4
    assert inside.score == found.score and inside.embeddings.keys() == {"sface"}


def test_a_tilted_photo_gives_the_same_crop(photos: Photos) -> None:
    """The astronaut, turned by 30 degrees about a place of her face, cropped upright both times."""
    import cv2

    turn = cv2.getRotationMatrix2D((223.5, 120.0), 30, 1.0)
    tilted = cv2.warpAffine(photos["astronaut"], turn, (512, 512), flags=cv2.INTER_CUBIC)
    straight = detect(embedded(), image(photos["astronaut"])).faces[0][0]
    points = straight.keypoints.numpy() @ turn[:, :2].T + turn[:, 2]
    middle = ((straight.box[:2] + straight.box[2:]) / 2).numpy() - 0.5
    moved_by = torch.tensor(turn[:, :2] @ middle + turn[:, 2] - middle, dtype=torch.float32)
    other = Face(straight.box + moved_by.repeat(2), torch.tensor(points, dtype=torch.float32))
    one, _ = crop_faces(Faces(image(photos["astronaut"]), ((straight,),)), 128, 0.1)
    two, _ = crop_faces(Faces(image(tilted), ((other,),)), 128, 0.1)
    assert (one.images - two.images).abs().mean() < 0.01 < (one.images - one.images.flip(2)).abs().mean()


@pytest.mark.parametrize("align", ["upright", "ffhq"])
def test_masks_show_the_face_softly(photos: Photos, align: str) -> None:
    faces = detect(embedded(), image(photos["astronaut"]))
    crops, inside = crop_faces(faces, 256, 0.5, align)
    masks = crop_masks(inside, 0.5, align)
    assert masks.shape == (1, 256, 256) and masks.min() >= 0 and masks.max() == pytest.approx(1)
    for x, y in inside.faces[0][0].keypoints.tolist():
        assert masks[0, round(y), round(x)] > 0.99
    assert 0.1 < masks.mean() < 0.5 and len(masks.unique()) > 100
    assert (
        not masks[0, 0].any()
        and not masks[0, :, 0].any()
        and torch.equal(faces.images, image(photos["astronaut"]))
    )
    assert crops.images is inside.images


# ---- none, and bad input


def test_a_picture_without_a_face_gives_its_middle_and_no_mask() -> None:
    pictures = noise(2, 100, 160, 3)
    crops, inside = crop_faces(Faces(pictures, ((), (face(80, 50, 40),))), 100)
    assert crops.pictures == (-1, 1) and inside.faces[0] == ()
    assert (crops.images[0] - pictures[0, :, 30:130]).abs().max() < 1e-4


def test_bad_input_is_explained() -> None:
    faces = Faces(torch.zeros(1, 80, 80, 3), ((face(40, 40, 30),),))
    with pytest.raises(ValueError, match="size must be 8"):
        crop_faces(faces, 0)
    with pytest.raises(ValueError, match="margin must be 0 or more, not -1"):
        crop_faces(faces, margin=-1)
    with pytest.raises(ValueError, match="upright, straight, ffhq, not 'left'"):
        crop_faces(faces, align="left")
    with pytest.raises(ValueError, match="nothing to crop: every picture was skipped"):
        crop_faces(Faces(torch.zeros(0, 8, 8, 3), ()))
    blind = Faces(faces.images, ((Face(torch.tensor([1.0, 1, 9, 9]), torch.ones(5, 2)),),))
    with pytest.raises(ValueError, match=r"eyes of Face.*in one place: set align to straight"):
        crop_faces(blind)
    with pytest.raises(ValueError, match=r"five points of Face.*in one place"):
        crop_faces(blind, align="ffhq")
    assert crop_faces(blind, 64, align="straight")[0].images.shape == (1, 64, 64, 3)
    with pytest.raises(ValueError, match="has no size"):
        crop_faces(Faces(faces.images, ((Face(torch.ones(4), POINTS),),)))


def test_crops_that_do_not_fit_their_maps_are_refused() -> None:
    maps = torch.zeros(2, 2, 3, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"squares.*\[2, 8, 9, 3\]"):
        Crops(torch.zeros(2, 8, 9, 3), maps, (0, 0), (0,), (8, 8))
    with pytest.raises(ValueError, match="3 crops come with 2 maps"):
        Crops(torch.zeros(3, 8, 8, 3), maps, (0, 0, 0), (0,), (8, 8))
    assert (
        repr(Crops(torch.zeros(2, 8, 8, 3), maps, (0, 0), (0,), (9, 7)))
        == "Crops(2 of 8x8 from pictures 9x7)"
    )
