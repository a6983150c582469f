"""Places of faces, for any face: maps and the ways back, squares that follow the face, crops that go home."""

from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawn_faces import POINTS, face, noise

from likeness.faces import ffhq
from likeness.faces.align import invert, similarity, transform
from likeness.faces.crops import crop_faces
from likeness.faces.paste import paste_faces
from likeness.faces.resample import chained, resized, scale_of
from likeness.faces.squares import ALIGNS, FFHQ, STRAIGHT, UPRIGHT, face_map, moved
from likeness.values import Face, Faces

always = settings(derandomize=True, deadline=None, max_examples=60, database=None)
fewer = settings(always, max_examples=25)

shifts = st.floats(-3000, 3000)
scales = st.floats(0.05, 20)
degrees = st.floats(-180, 180)


@st.composite
def maps(draw: st.DrawFn) -> torch.Tensor:
    """Turn, scale and shift, [2, 3] float64."""
    angle, scale = math.radians(draw(degrees)), draw(scales)
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    return torch.tensor([[cos, -sin, draw(shifts)], [sin, cos, draw(shifts)]], dtype=torch.float64)


@st.composite
def faces(draw: st.DrawFn, width: float = 400, height: float = 300) -> Face:
    """A face whose middle is in a picture; its points a little out of shape."""
    wobble = draw(st.lists(st.floats(-0.05, 0.05), min_size=10, max_size=10))
    high = draw(st.floats(16, 250))
    x, y = draw(st.floats(0, width)), draw(st.floats(0, height))
    found = face(x, y, high, draw(degrees))
    return Face(found.box, found.keypoints + high * torch.tensor(wobble).reshape(5, 2))


def through(matrix: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Points that count from the centre of the first pixel, by a map of places that count from its edge."""
    return transform(matrix, points.double() + 0.5) - 0.5


def close(found: torch.Tensor, wanted: torch.Tensor, size: float = 1.0) -> bool:
    """Equal to a part in 100 000 of the sizes in play: boxes and points are float32."""
    reach = max(1.0, size, float(wanted.abs().max()))
    return float((found.double() - wanted.double()).abs().max()) <= 1e-5 * reach


# ---- maps


@always
@given(maps())
def test_a_map_and_its_inverse_cancel(there: torch.Tensor) -> None:
    same = torch.eye(2, 3, dtype=torch.float64)
    assert torch.allclose(chained(there, invert(there)), same, atol=1e-8)
    assert torch.allclose(chained(invert(there), there), same, atol=1e-7)
    assert math.isclose(scale_of(there) * scale_of(invert(there)), 1, rel_tol=1e-9)


@always
@given(maps(), maps())
def test_a_chain_is_one_after_the_other(first: torch.Tensor, then: torch.Tensor) -> None:
    one_by_one = transform(then, transform(first, POINTS.double()))
    assert torch.allclose(transform(chained(first, then), POINTS.double()), one_by_one, rtol=1e-9, atol=1e-6)
    assert math.isclose(scale_of(chained(first, then)), scale_of(first) * scale_of(then), rel_tol=1e-9)


@always
@given(maps(), faces())
def test_the_map_between_two_sets_of_points_is_found(there: torch.Tensor, found: Face) -> None:
    source = found.keypoints.double()
    estimated = similarity(source, transform(there, source))
    assert close(transform(estimated, source), transform(there, source))
    assert torch.allclose(estimated[:, :2], there[:, :2], rtol=1e-6, atol=1e-6)


@always
@given(maps(), faces(), faces())
def test_alignment_does_not_depend_on_where_a_face_was(there: torch.Tensor, a: Face, b: Face) -> None:
    """The best map to a template, from a picture or from the same picture turned, scaled and shifted."""
    source, template = a.keypoints.double(), b.keypoints.double()
    direct = transform(similarity(source, template), source)
    turned = transform(there, source)
    assert torch.allclose(transform(similarity(turned, template), turned), direct, atol=1e-5)


# ---- squares


@always
@given(maps(), faces())
def test_the_ffhq_square_follows_its_face(there: torch.Tensor, found: Face) -> None:
    after = Face(found.box, through(there, found.keypoints).float())
    assert close(face_map(after, align=FFHQ), chained(face_map(found, align=FFHQ), there), 5000)


@always
@given(faces())
def test_both_accounts_of_the_ffhq_square_agree(found: Face) -> None:
    """One counts pixels from their edge, the other from their centre."""
    corner, across, down = ffhq.square(found.keypoints)
    square = face_map(found, align=FFHQ)
    assert close(torch.stack([across, down, corner + 0.5], dim=1), square, 100)


@always
@given(faces(), st.floats(0, 2), shifts, shifts, st.floats(0.2, 5))
def test_straight_and_upright_squares_follow_shift_and_scale(
    found: Face, margin: float, x: float, y: float, scale: float
) -> None:
    there = torch.tensor([[scale, 0, x], [0, scale, y]], dtype=torch.float64)
    corners = transform(there, found.box.reshape(2, 2).double()).flatten().float()
    after = Face(corners, through(there, found.keypoints).float())
    for align in (STRAIGHT, UPRIGHT):
        # An angle in float32 coordinates thousands of pixels away is good to a thousandth.
        wanted = chained(face_map(found, margin, align), there)
        assert float((face_map(after, margin, align) - wanted).abs().max()) <= 1e-4 * max(1e3, abs(x), abs(y))


@always
@given(faces(), st.sampled_from(ALIGNS), st.floats(0, 2), st.integers(8, 2048))
def test_a_face_in_its_crop_goes_back_to_its_place(found: Face, align: str, margin: float, size: int) -> None:
    square = face_map(found, margin, align)
    inside = moved(found, square, size)
    back = torch.cat([square[:, :2] / size, square[:, 2:]], dim=1)
    assert close(through(back, inside.keypoints), found.keypoints, 500)
    middle = (inside.box[:2] + inside.box[2:])[None] / 2
    assert close(transform(back, middle.double()), (found.box[:2] + found.box[2:])[None] / 2, 500)
    # The box keeps its area: it turns in quarters only.
    assert math.isclose(inside.area * scale_of(back) ** 2, found.area, rel_tol=1e-3)


# ---- crops


@st.composite
def pictures_with_faces(draw: st.DrawFn) -> Faces:
    width, height, count = draw(st.integers(24, 120)), draw(st.integers(24, 120)), draw(st.integers(1, 2))
    images = noise(count, height, width, draw(st.sampled_from((1, 3, 4))), seed=draw(st.integers(0, 99)))
    found = st.lists(faces(width, height), min_size=0, max_size=2).map(tuple)
    return Faces(images, tuple(draw(found) for _ in range(count)))


settings_of_crops = (pictures_with_faces(), st.integers(8, 96), st.floats(0, 1.5), st.sampled_from(ALIGNS))
seams = st.floats(0, 40)


@fewer
@given(*settings_of_crops, seams, st.sampled_from((torch.float32, torch.float16, torch.bfloat16)))
def test_crops_that_nobody_changed_leave_the_picture_as_it_was(
    found: Faces, size: int, margin: float, align: str, seam: float, dtype: torch.dtype
) -> None:
    crops, _ = crop_faces(found, size, margin, align)
    before = found.images.clone()
    assert torch.equal(paste_faces(found.images, crops.images.to(dtype), crops, seam), before)
    assert torch.equal(found.images, before)


@fewer
@given(*settings_of_crops, seams, st.floats(1, 2.5))
def test_crops_that_were_only_enlarged_leave_the_picture_as_it_was(
    found: Faces, size: int, margin: float, align: str, seam: float, by: float
) -> None:
    """Enlarged as the host does: bicubic. A grey level of 255 is nothing to see."""
    crops, _ = crop_faces(found, size, margin, align)
    side = round(size * by)
    larger = resized(crops.images.movedim(-1, 1), (side, side)).movedim(1, -1)
    assert (paste_faces(found.images, larger, crops, seam) - found.images).abs().max() < 1 / 255


@fewer
@given(*settings_of_crops, seams)
def test_whatever_is_pasted_stays_in_its_squares_and_in_range(
    found: Faces, size: int, margin: float, align: str, seam: float
) -> None:
    crops, _ = crop_faces(found, size, margin, align)
    after = paste_faces(found.images, noise(len(crops.maps), size, size, 3, seed=1), crops, seam)
    assert after.min() >= 0 and after.max() <= 1
    assert torch.equal(after[..., 3:], found.images[..., 3:])
    touched = (after != found.images).any(dim=-1)
    height, width = touched.shape[1:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centres = torch.stack([columns, rows], dim=-1).reshape(-1, 2).double() + 0.5
    inside = torch.zeros_like(touched)
    for picture, square in zip(crops.pictures, crops.maps, strict=True):
        if picture >= 0:
            places = transform(invert(square), centres)
            inside[picture] |= ((places > 0) & (places < 1)).all(dim=1).reshape(height, width)
    assert not (touched & ~inside).any()
