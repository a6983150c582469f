"""The square of a picture that shows a face, upright. Spec: instantid_arc2face.md 2.7 (FFHQ)."""

from __future__ import annotations

import math

import torch

from ..choices.faces import ALIGNS
from ..values import Face
from .align import invert, transform
from .resample import scale_of

UPRIGHT, STRAIGHT, FFHQ = ALIGNS


def face_map(face: Face, margin: float = 0.5, align: str = UPRIGHT) -> torch.Tensor:
    """The map [2, 3] float64 from a square of side 1 to the pixels around a face (pixel 0 spans 0 to 1).

    straight: the square around the box, with `margin` of its longer side added at each side. upright: the
    same, turned about its middle until the eyes are level. ffhq: the frame of the FFHQ photos, which
    follows from eyes and mouth alone. Raises ValueError for another align, or points in one place.
    """
    if align not in ALIGNS:
        raise ValueError(f"align must be one of {', '.join(ALIGNS)}, not {align!r}.")
    if margin < 0:
        raise ValueError(f"margin must be 0 or more, not {margin}.")
    if align == FFHQ:
        return _ffhq(face)
    x1, y1, x2, y2 = face.box.tolist()
    side = max(x2 - x1, y2 - y1) * (1 + 2 * margin)
    if side <= 0:
        raise ValueError(f"{face!r} has no size: there is nothing to crop.")
    angle = _eye_angle(face) if align == UPRIGHT else 0.0
    return turned_square(torch.tensor([(x1 + x2) / 2, (y1 + y2) / 2]), angle, side)


def turned_square(centre: torch.Tensor, angle: float, side: float) -> torch.Tensor:
    """The map [2, 3] to the square around a place whose upper edge lies at an angle, in radians clockwise."""
    across = torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64) * side
    return _square(centre.to(torch.float64), across)


def middle_map(size: tuple[int, int]) -> torch.Tensor:
    """The map [2, 3] to the largest square in the middle of a picture (width, height)."""
    centre = torch.tensor(size, dtype=torch.float64) / 2
    return _square(centre, torch.tensor([min(size), 0.0], dtype=torch.float64))


def moved(face: Face, square: torch.Tensor, size: int) -> Face:
    """A face as it is seen in the crop of its square, `size` pixels wide.

    Its box turns with it in quarters: a box has no better answer to a smaller turn.
    """
    back = invert(square) * size
    scale = scale_of(back)
    centre = transform(back, (face.box[:2] + face.box[2:])[None] / 2)[0]
    half = (face.box[2:] - face.box[:2]).to(torch.float64) / 2 * scale
    if abs(back[1, 0]) > abs(back[0, 0]):
        half = half.flip(0)
    points = _moved_points(back, face.keypoints)
    marks = face.landmarks
    if marks is not None:
        marks = torch.cat([_moved_points(back, marks[:, :2]), marks[:, 2:] * scale], dim=1)
    return Face(torch.cat([centre - half, centre + half]), points, face.score, marks, face.embeddings)


def _moved_points(matrix: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Points that count from the centre of the first pixel, as keypoints and landmarks do."""
    return (transform(matrix, points.to(torch.float64) + 0.5) - 0.5).to(torch.float32)


def _square(centre: torch.Tensor, across: torch.Tensor) -> torch.Tensor:
    """The map to the square with this middle and this upper edge, [2] each."""
    down = _quarter_turn(across)
    return torch.stack([across, down, centre - (across + down) / 2], dim=1)


def _quarter_turn(v: torch.Tensor) -> torch.Tensor:
    return torch.stack([-v[1], v[0]])


def _eye_angle(face: Face) -> float:
    across, down = (face.keypoints[1] - face.keypoints[0]).tolist()
    if math.hypot(across, down) < 1e-3:
        raise ValueError(f"The eyes of {face!r} are in one place: set align to straight.")
    return math.atan2(down, across)


def _ffhq(face: Face) -> torch.Tensor:
    points = face.keypoints.to(torch.float64) + 0.5
    eyes, mouth = points[:2].mean(dim=0), points[3:].mean(dim=0)
    between, below = points[1] - points[0], mouth - eyes
    across = between - _quarter_turn(below)
    length = across.norm()
    if length < 1e-3:
        raise ValueError(f"The five points of {face!r} are in one place: set align to straight.")
    across = across / length * max(2.0 * float(between.norm()), 1.8 * float(below.norm()))
    return _square(eyes + 0.1 * below, 2 * across)
