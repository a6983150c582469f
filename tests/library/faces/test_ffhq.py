"""The FFHQ alignment against the authors' own, level for level. Spec: consistentid_masterweaver.md 2.4."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.golden import Golden

from likeness.faces.crops import crop_faces
from likeness.faces.ffhq import align_ffhq, square
from likeness.values import Face, Faces


@pytest.fixture(scope="module")
def golden() -> Golden:
    return Golden("masterweaver")


def keypoints(case: dict[str, Any]) -> torch.Tensor:
    """Five points; the nose counts for nothing, so it is nowhere."""
    nose = [-1e6, 1e6]
    points = [case["eye_left"], case["eye_right"], nose, case["mouth_left"], case["mouth_right"]]
    return torch.tensor(points, dtype=torch.float64)


@pytest.mark.parametrize("name", ["inside", "turned", "beyond_the_edge", "shrunk"])
def test_pixels_are_the_authors(golden: Golden, name: str) -> None:
    case = next(case for case in golden.meta["align"] if case["name"] == name)
    scene = golden["in.scene"].float() / 255
    before, side = scene.clone(), case["transform_size"]
    found = align_ffhq(scene, keypoints(case), side, samples=side, shrink_for=case["output_size"])
    assert torch.equal((found * 255).round().to(torch.uint8), golden[f"out.align.{name}"])
    assert torch.equal(scene, before)


@pytest.mark.filterwarnings("error")
def test_a_face_of_half_a_pixel_in_a_corner_is_still_a_picture() -> None:
    points = torch.tensor([[0.1, 0.1], [0.4, 0.1], [0.2, 0.2], [0.1, 0.4], [0.4, 0.4]])
    found = align_ffhq(torch.full((64, 64, 3), 0.6), points, 32)
    assert torch.equal(found, torch.full((32, 32, 3), 153 / 255))


def test_without_padding_what_is_outside_is_black(golden: Golden) -> None:
    case = next(case for case in golden.meta["align"] if case["name"] == "beyond_the_edge")
    scene = torch.ones_like(golden["in.scene"].float())
    bare = align_ffhq(scene, keypoints(case), 96, samples=96, shrink_for=1024, pad=False)
    full = align_ffhq(scene, keypoints(case), 96, samples=96, shrink_for=1024)
    assert (bare == 0).any() and (full == 1).all()


def test_finer_samples_are_averaged_to_the_same_place(golden: Golden) -> None:
    case = next(case for case in golden.meta["align"] if case["name"] == "turned")
    scene = golden["in.scene"].float() / 255
    once = align_ffhq(scene, keypoints(case), 96, samples=96)
    four = align_ffhq(scene, keypoints(case), 96)
    assert 0 < float((once - four).abs().mean()) < 0.02


def test_a_face_far_outside_of_its_picture_is_told() -> None:
    points = torch.tensor([[900.0, 900], [920, 900], [910, 910], [902, 925], [918, 925]])
    with pytest.raises(ValueError, match="lie far outside of its picture"):
        align_ffhq(torch.rand(64, 64, 3, generator=torch.Generator().manual_seed(0)), points, 32)


def test_crops_in_ffhqs_frame_are_made_the_same_way(golden: Golden) -> None:
    """Also beyond the picture's edge; and in the place that the way back is told."""
    case = next(case for case in golden.meta["align"] if case["name"] == "beyond_the_edge")
    scene, points = golden["in.scene"].float() / 255, keypoints(case)
    points[2] = points[[0, 1, 3, 4]].mean(dim=0)
    face = Face(torch.tensor([0.0, 20, 70, 90]), points.float())
    crops, inside = crop_faces(Faces(scene[None], ((face,),)), 96, align="ffhq")
    assert torch.equal(crops.images[0], align_ffhq(scene, face.keypoints, 96))
    again = square(inside.faces[0][0].keypoints)
    assert torch.allclose(again, torch.tensor([[-0.5, -0.5], [96, 0], [0, 96]]), atol=1e-3)
