"""Masks, for any face, size and setting: their range, their growth, their soft edges, their token grids."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawn_faces import face, noise

from likeness.attention.masks import PIXELS_PER_LATENT, PictureMask
from likeness.attention.views import Part, View
from likeness.faces.holes import CELL, blend, snap
from likeness.faces.label_masks import class_masks, freecure_mask
from likeness.faces.masks import REGIONS, face_masks, soften
from likeness.values import Face, Faces

always = settings(derandomize=True, deadline=None, max_examples=50, database=None)

grows = st.floats(-60, 60)
feathers = st.floats(0, 40)
seeds = st.integers(0, 999)
sides = st.integers(1, 90)


@st.composite
def pictures_with_faces(draw: st.DrawFn) -> Faces:
    """One or two pictures; faces anywhere around, with landmarks that may coincide or lie on a line."""
    width, height = draw(sides), draw(sides)
    everywhere = st.floats(-100, 200)
    found: list[tuple[Face, ...]] = []
    for _ in range(draw(st.integers(1, 2))):
        here = []
        for _ in range(draw(st.integers(0, 2))):
            plain = face(draw(everywhere), draw(everywhere), draw(st.floats(0.1, 150)))
            spread = draw(st.sampled_from(((1.0, 1.0), (1.0, 0.0), (0.0, 0.0))))
            half = (plain.box[2:] - plain.box[:2]) / 2
            points = (2 * noise(12, 2, seed=draw(seeds)) - 1) * torch.tensor(spread) * half
            here.append(Face(plain.box, plain.keypoints, landmarks=points + plain.box[:2] + half))
        found.append(tuple(here))
    return Faces(torch.zeros(len(found), height, width, 3), tuple(found))


@st.composite
def blobs(draw: st.DrawFn) -> torch.Tensor:
    """Masks [1 or 2, H, W], soft or hard, with much, little or nothing in them."""
    picture = noise(draw(st.integers(1, 2)), draw(sides), draw(sides), seed=draw(seeds))
    kept = (picture >= draw(st.sampled_from((0.0, 0.5, 0.9, 2.0)))).float()
    return kept if draw(st.booleans()) else kept * picture


def dilated(masks: torch.Tensor, reach: int) -> torch.Tensor:
    return F.max_pool2d(masks[:, None], 2 * reach + 1, 1, reach)[:, 0]


def eroded(masks: torch.Tensor, reach: int) -> torch.Tensor:
    return -dilated(-masks, reach)


# ---- faces


@always
@given(pictures_with_faces(), st.sampled_from(sorted(REGIONS)), grows, feathers)
def test_a_face_mask_is_from_0_to_1(found: Faces, region: str, grow: float, feather: float) -> None:
    masks = face_masks(found, region, grow, feather)
    assert masks.shape == found.images.shape[:3] and masks.dtype == torch.float32
    assert torch.isfinite(masks).all() and masks.min() >= 0 and masks.max() <= 1
    for mask, here in zip(masks, found.faces, strict=True):
        assert here or not mask.any()


@always
@given(pictures_with_faces(), st.sampled_from(sorted(REGIONS)), grows, grows)
def test_a_face_mask_that_grows_loses_no_pixel(found: Faces, region: str, one: float, two: float) -> None:
    smaller, larger = (face_masks(found, region, grow) for grow in sorted((one, two)))
    assert (larger - smaller).min() >= -1e-4


@always
@given(blobs(), st.floats(0, 40, exclude_min=True))
def test_a_soft_edge_ends_where_it_says(masks: torch.Tensor, feather: float) -> None:
    before, soft = masks.clone(), soften(masks, feather)
    assert torch.equal(masks, before)
    assert soft.min() >= 0 and soft.max() <= 1
    reach = max(1, round(feather))
    low, high = eroded(masks, reach), dilated(masks, reach)
    assert (soft >= low - 1e-5).all() and (soft <= high + 1e-5).all()


@always
@given(st.integers(1, 90), st.integers(1, 90), seeds, grows, grows, st.sets(st.integers(0, 18), min_size=1))
def test_masks_of_classes_grow_and_stay_hard(
    height: int, width: int, seed: int, one: float, two: float, classes: set[int]
) -> None:
    parsed = (noise(2, height, width, seed=seed) ** 8 * 2**18).to(torch.int32)
    smaller, larger = (class_masks(parsed, sorted(classes), grow) for grow in sorted((one, two)))
    assert (larger >= smaller).all()
    assert ((smaller == 0) | (smaller == 1)).all() and ((larger == 0) | (larger == 1)).all()
    soft = class_masks(parsed, sorted(classes), one, 3.0)
    assert soft.min() >= 0 and soft.max() <= 1


@always
@given(blobs(), st.integers(1, 100), st.integers(1, 100))
def test_freecures_mask_is_hard_and_keeps_to_the_inside(masks: torch.Tensor, h: int, w: int) -> None:
    made = freecure_mask(masks, (h, w))
    assert made.shape == (len(masks), h, w) and ((made == 0) | (made == 1)).all()
    assert freecure_mask(torch.ones_like(masks), (h, w)).all()
    assert not freecure_mask(torch.zeros_like(masks), (h, w)).any()
    assert (made <= freecure_mask(torch.maximum(masks, dilated(masks, 1)), (h, w))).all()


# ---- the latent's grid


@always
@given(blobs())
def test_snapping_twice_is_snapping_once(masks: torch.Tensor) -> None:
    once = snap(masks)
    assert ((once == 0) | (once == 1)).all()
    assert torch.equal(snap(once), once)
    (top, rows), (left, columns) = (((s % CELL) // 2, s // CELL) for s in masks.shape[1:])
    inside = once[:, top : top + rows * CELL, left : left + columns * CELL]
    cells = inside.reshape(len(masks), rows, CELL, columns, CELL)
    assert torch.equal(cells, cells[:, :, :1, :, :1].expand_as(cells))


@always
@given(blobs(), st.integers(0, 40))
def test_what_is_shown_is_the_whole_hole_and_no_more_than_its_edge(masks: torch.Tensor, feather: int) -> None:
    hole = snap(masks)
    shown = blend(hole, feather)
    assert shown.min() >= 0 and shown.max() <= 1
    assert (shown >= hole - 1e-5).all()
    assert (shown <= (dilated(hole, feather) if feather else hole) + 1e-5).all()


areas = st.none() | st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(0, 7), st.integers(0, 7))


@st.composite
def grids(draw: st.DrawFn) -> tuple[tuple[int, int], tuple[int, int]]:
    """A latent (height, width), and the grid of one of the network's layers for it: halved, rounded up."""
    latent = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    halvings = draw(st.integers(0, 3))
    height, width = (-(-side // 2**halvings) for side in latent)
    return latent, (height, width)


@always
@given(grids(), st.integers(1, 3), st.integers(1, 3), st.sampled_from((0.0, 1.0)))
def test_all_and_nothing_stay_all_and_nothing_on_every_grid(
    sizes: tuple[tuple[int, int], tuple[int, int]], chunks: int, batch: int, value: float
) -> None:
    latent, grid = sizes
    for resolution in (latent, tuple(side * PIXELS_PER_LATENT for side in latent)):
        mask = PictureMask(torch.full(resolution, value))
        tokens = mask.tokens(latent, [View("positive")] * chunks, grid, batch, torch.zeros(1))
        assert tokens.shape == (1, grid[0] * grid[1], 1) and (tokens == value).all()
        residual = mask.residual(latent, [View("positive")] * chunks, batch, torch.zeros(1, 1, *grid))
        assert torch.allclose(residual, torch.tensor(value))


@always
@given(grids(), st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_a_part_of_the_picture_is_about_the_same_part_of_the_tokens(
    sizes: tuple[tuple[int, int], tuple[int, int]], edges: list[float]
) -> None:
    latent, grid = sizes
    height, width = (side * PIXELS_PER_LATENT for side in latent)
    top, bottom = sorted(round(edge * height) for edge in edges[:2])
    left, right = sorted(round(edge * width) for edge in edges[2:])
    picture = torch.zeros(height, width)
    picture[top:bottom, left:right] = 1
    tokens = PictureMask(picture).tokens(latent, [View("positive")], grid, 1, torch.zeros(1))
    # Each edge of a rectangle is good to a token.
    assert abs(float(tokens.mean() - picture.mean())) <= 1 / grid[0] + 1 / grid[1]


def part_of(area: tuple[int, int, int, int]) -> Part:
    height, width, top, left = area
    return Part(range(top, top + height), range(left, left + width))


@always
@given(st.integers(1, 3), st.lists(areas, min_size=1, max_size=4), st.integers(1, 6), st.integers(1, 6))
def test_each_row_of_tokens_is_what_it_would_be_alone(
    batch: int, parts: list, height: int, width: int
) -> None:
    latent = 15, 15
    masks = noise(batch, 120, 120)
    views = [View("positive", None if area is None else part_of(area)) for area in parts]
    together = PictureMask(masks).tokens(latent, views, (height, width), batch, torch.zeros(1))
    together = together.expand(len(parts) * batch, -1, -1)
    for row in range(len(parts) * batch):
        part, picture = divmod(row, batch)
        alone = PictureMask(masks[picture]).tokens(latent, [views[part]], (height, width), 1, torch.zeros(1))
        assert torch.equal(together[row : row + 1], alone)
