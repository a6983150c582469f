"""The FFHQ alignment against the authors' own, level for level. Spec: consistentid_masterweaver.md 2.4."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.golden import Golden

from likeness.faces.ffhq import align_ffhq


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
