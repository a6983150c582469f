"""The holes PVA fills. Spec A.3 point 5, A.5 "Masks"."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from likeness.faces.detect import detect
from likeness.faces.holes import BOXES, blend, box, holes, snap, strokes
from likeness.faces.models import FaceModels
from likeness.values import Face, Faces

PICTURE = torch.zeros(512, 512)


@pytest.fixture(scope="module")
def photo(photos: dict[str, np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(photos["astronaut"].copy())[None].float() / 255


def extent(mask: torch.Tensor) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of what is 1."""
    rows, columns = mask.any(dim=1).nonzero(), mask.any(dim=0).nonzero()
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


# ---- boxes


def test_a_box_is_a_fifth_larger_than_its_points() -> None:
    points = torch.tensor([[100.0, 200], [300, 250], [150, 350]])
    # 200 wide and 150 high around (200, 275): 240 and 180.
    assert box(points, PICTURE, swap_sides=False) == (185, 80, 365, 320)
    assert box(points, PICTURE, swap_sides=True) == (155, 110, 395, 290)


def test_a_box_is_a_fifth_of_the_picture_at_least_and_ends_with_it() -> None:
    points = torch.tensor([[10.0, 500], [20, 504]])
    assert box(points, PICTURE, swap_sides=False) == (451, 0, 512, 66)


def test_regions_lie_where_the_face_is(photo: torch.Tensor) -> None:
    """The astronaut's eyes are at height 106, her mouth at 144, in a face from 179 to 269."""
    found = {region: extent(holes(photo, region)[0]) for region in BOXES}
    assert found["lower face"][2] > found["eyes and brows"][2] + 30
    assert found["eyes and brows"][0] < found["lower face"][0] - 30
    for top, left, bottom, right in found.values():
        assert left < 202 and right > 245 and top % 8 == left % 8 == bottom % 8 == right % 8 == 0
    top, _, bottom, _ = found["whole face"]
    assert top < 100 and bottom > 160
    top, _, bottom, _ = found["eyes and brows"]
    assert top < 106 < bottom


def test_given_faces_are_used_and_all_of_a_picture(photo: torch.Tensor) -> None:
    mesh = torch.zeros(468, 2)
    mesh[:, 0], mesh[:, 1] = torch.linspace(100, 300, 468), torch.linspace(200, 320, 468)
    there = Face(torch.zeros(4), torch.zeros(5, 2), landmarks=mesh)
    other = Face(torch.zeros(4), torch.zeros(5, 2), landmarks=mesh + 150)
    one = holes(photo, "whole face", faces=Faces(photo, ((there,),)))[0]
    both = holes(photo, "whole face", faces=Faces(photo, ((there, other),)))[0]
    assert extent(one)[1] >= 80 and extent(one)[3] <= 320
    assert both.sum() > 1.5 * one.sum() and bool((both >= one).all())


def test_swapped_sides_turn_the_box(photo: torch.Tensor) -> None:
    mesh = torch.zeros(468, 2)
    mesh[:, 0], mesh[:, 1] = torch.linspace(100, 300, 468), torch.linspace(200, 260, 468)
    faces = Faces(photo, ((Face(torch.zeros(4), torch.zeros(5, 2), landmarks=mesh),),))
    wide, tall = (extent(holes(photo, "whole face", swap, faces=faces)[0]) for swap in (False, True))
    assert wide[3] - wide[1] > wide[2] - wide[0] and tall[3] - tall[1] < tall[2] - tall[0]


def test_a_picture_without_a_face(photo: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"No face in picture 1 .* Draw a mask by hand"):
        holes(torch.cat([photo, torch.zeros_like(photo)]), "whole face")
    with pytest.raises(ValueError, match="faces holds no face in picture 0"):
        holes(photo, "whole face", faces=Faces(photo, ((),)))


# ---- brush


def test_strokes_are_drawn_by_their_seed_alone() -> None:
    state = torch.get_rng_state()
    first, again, other = strokes(256, 384, 1), strokes(256, 384, 1), strokes(256, 384, 2)
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)
    assert set(first.unique().tolist()) == {0.0, 1.0} and first.shape == (256, 384)


def test_strokes_cover_a_part_of_the_picture() -> None:
    shares = torch.tensor([float(strokes(128, 128, seed).mean()) for seed in range(40)])
    assert float(shares.min()) > 0.01 and float(shares.max()) < 0.8
    assert 0.1 < float(shares.mean()) < 0.5


def test_each_picture_has_its_own_strokes() -> None:
    found = holes(torch.zeros(2, 128, 128, 3), "brush", seed=5)
    assert not torch.equal(found[0], found[1])
    assert torch.equal(found[1:], holes(torch.zeros(1, 128, 128, 3), "brush", seed=6))


# ---- own masks


def test_a_mask_of_ones_own_is_added() -> None:
    images, mask = torch.zeros(2, 64, 64, 3), torch.zeros(1, 64, 64)
    mask[:, 8:24, 16:32] = 1
    alone = holes(images, "only mask", mask=mask)
    assert torch.equal(alone, mask.expand(2, -1, -1))
    both = holes(images, "brush", seed=3, mask=mask)
    assert torch.equal(both, torch.maximum(alone, holes(images, "brush", seed=3)))
    assert float(mask.sum()) == 16 * 16  # as it came


@pytest.mark.parametrize(
    ("region", "mask", "sentence"),
    [
        ("only mask", None, "region is 'only mask', but mask is not connected"),
        ("nose", None, "region must be one of lower face, eyes and brows, whole face, brush, only mask"),
        ("only mask", torch.zeros(1, 32, 64), "mask is [1, 32, 64], but the pictures are [2, 64, 64]"),
        ("only mask", torch.zeros(3, 64, 64), "give one mask, or one per picture"),
        ("only mask", torch.full((1, 64, 64), torch.nan), "without NaN"),
    ],
)
def test_bad_masks_and_regions(region: str, mask: Any, sentence: str) -> None:
    with pytest.raises(ValueError) as error:
        holes(torch.zeros(2, 64, 64, 3), region, mask=mask)
    assert sentence in str(error.value)


# ---- the latent's grid


def test_cells_are_what_nearest_takes() -> None:
    masks = (torch.rand(3, 64, 96, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    snapped = snap(masks)
    wanted = F.interpolate(masks[:, None], scale_factor=1 / 8, mode="nearest")
    assert torch.equal(F.interpolate(snapped[:, None], scale_factor=1 / 8, mode="nearest"), wanted)
    # And so does the host's averaging.
    assert torch.equal(F.interpolate(snapped[:, None], (8, 12), mode="bilinear").round(), wanted)
    assert torch.equal(snap(snapped), snapped)


def test_sizes_that_are_no_multiple_of_eight_keep_the_hosts_middle() -> None:
    """The host cuts 2 of 13 pixels off the left, 3 off the right, and so with the height."""
    mask = torch.zeros(1, 8 + 5, 16 + 5)
    mask[0, 2, 2] = mask[0, 0, 0] = 1
    snapped = snap(mask)
    wanted = torch.zeros_like(mask)
    wanted[0, 2:10, 2:10] = wanted[0, 0, 0] = 1
    assert torch.equal(snapped, wanted)


def test_the_blend_shows_all_of_the_hole_and_fades_around_it() -> None:
    mask = torch.zeros(1, 64, 64)
    mask[:, 24:40, 24:40] = 1
    faded = blend(mask, 10)
    assert bool((faded[mask > 0] > 1 - 1e-6).all())
    across = faded[0, 32]
    assert across[13].item() < 1e-6 and across[14].item() > 0 and bool((across[14:25].diff() > 0).any())
    assert bool((across[:32].diff() >= -1e-6).all()) and bool((across[32:].diff() <= 1e-6).all())
    assert torch.equal(blend(mask, 0), mask)
    assert float(blend(mask, 1)[0, 32, 23]) == 1 and float(blend(mask, 1)[0, 32, 22]) == 0


def test_the_largest_face_is_taken_when_none_is_given(photos: dict[str, np.ndarray]) -> None:
    six = torch.from_numpy(photos["t1"].copy())[None].float() / 255
    (found,) = detect(FaceModels.open("embedded"), six).faces
    largest = max(found, key=lambda face: face.area)
    x, y = (int(v) for v in (largest.keypoints[0] + largest.keypoints[1]) / 2)
    mask = holes(six, "whole face")[0]
    assert mask[y, x] == 1
    boxes = [face for face in found if face is not largest]
    assert sum(float(mask[int(f.keypoints[2, 1]), int(f.keypoints[2, 0])]) for f in boxes) <= 1
