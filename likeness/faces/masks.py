"""Masks of faces, exact to a part of a pixel. Boxes count pixel edges: pixel 0 spans 0 to 1."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from functools import cache, partial

import torch

from ..values import Face, Faces
from .mesh import landmarks
from .pixels import rgb8
from .policy import pictures

log = logging.getLogger(__name__)

#: An edge that fades over fewer pixels than this is sharp: its Gaussian gives a neighbour e^-200, and a still
#: narrower one divides 0 by 0.
_SHARP = 0.1

#: How much of each pixel is covered, [h, w], when the shape is grown: of pixels with their centres at
#: x [1, w] and y [h, 1].
Cover = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]
#: A face and its outline -> the extent of a shape (x1, y1, x2, y2) before it is grown, and its cover.
Region = Callable[[Face, Callable[[], torch.Tensor]], tuple[torch.Tensor, Cover]]


def face_masks(faces: Faces, region: str = "box", grow: float = 0, feather: float = 0) -> torch.Tensor:
    """One mask [B, H, W] float32 per picture, 1 on its faces. Computed on the CPU.

    grow: pixels outwards, negative shrinks. feather: the edge fades over so many pixels each way. A
    picture without a face gives an empty mask and a line in the log. Raises ValueError for an
    empty batch or an unknown region.
    """
    if region not in REGIONS:
        raise ValueError(f"region must be one of {', '.join(REGIONS)}, not {region!r}.")
    if not faces.faces:
        raise ValueError("There is nothing to mask: every picture was skipped for want of a face.")
    width, height = faces.size
    masks = torch.zeros(len(faces.faces), height, width)
    filled = [_draw(masks[index], faces, index, REGIONS[region], grow) for index in range(len(masks))]
    _report_empty(faces, filled)
    return soften(masks, feather) if feather > 0 else masks


def _draw(mask: torch.Tensor, faces: Faces, index: int, region: Region, grow: float) -> bool:
    """Draws the faces of a picture into its mask [H, W]; True when anything came of it."""

    @cache
    def picture() -> torch.Tensor:
        return torch.from_numpy(rgb8(faces.images, index, "faces"))

    filled = False
    for face in faces.faces[index]:
        extent, cover = region(face, partial(_outline, face, picture))
        window = _window(extent, max(grow, 0) + 2, mask)
        if window is not None:
            down, across = window
            x, y = (torch.arange(part.start, part.stop) + 0.5 for part in (across, down))
            part = cover(x[None, :], y[:, None], grow)
            mask[down, across] = torch.maximum(mask[down, across], part)
            filled |= bool(part.any())
    return filled


def _window(extent: torch.Tensor, reach: float, mask: torch.Tensor) -> tuple[slice, slice] | None:
    """Rows and columns of the pixels within `reach` of an extent; None when the mask has none of them."""
    x1, y1, x2, y2 = extent.tolist()
    slices = [
        slice(max(0, math.floor(low - reach)), min(size, math.ceil(high + reach)))
        for low, high, size in ((y1, y2, mask.shape[0]), (x1, x2, mask.shape[1]))
    ]
    return (slices[0], slices[1]) if all(part.start < part.stop for part in slices) else None


def _outline(face: Face, picture: Callable[[], torch.Tensor]) -> torch.Tensor:
    """The convex outline [n, 2] of a face's landmarks, corner after corner; by the mesh if there are none."""
    import cv2

    points = landmarks(picture(), face) if face.landmarks is None else face.landmarks
    hull = cv2.convexHull(points[:, :2].to(torch.float32).contiguous().numpy())
    return torch.from_numpy(hull[:, 0]) + 0.5  # landmarks count from the centre of the first pixel


def _report_empty(faces: Faces, filled: Sequence[bool]) -> None:
    without = [place for place, found in zip(faces.indices, faces.faces, strict=True) if not found]
    if without:
        log.warning("No face in %s: the mask is empty there.", pictures(without))
    shrunk = [
        p for p, found, full in zip(faces.indices, faces.faces, filled, strict=True) if found and not full
    ]
    if shrunk:
        log.warning("The mask of %s is empty: shrunk to nothing, or outside the picture.", pictures(shrunk))


def _box(face: Face, outline: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, Cover]:
    """How much of each pixel the box covers."""
    x1, y1, x2, y2 = face.box.tolist()

    def cover(x: torch.Tensor, y: torch.Tensor, grow: float) -> torch.Tensor:
        return _covered(x, x1 - grow, x2 + grow) * _covered(y, y1 - grow, y2 + grow)

    return face.box, cover


def _covered(centre: torch.Tensor, start: float, end: float) -> torch.Tensor:
    return ((centre + 0.5).clamp(max=end) - (centre - 0.5).clamp(min=start)).clamp(min=0)


def _ellipse(face: Face, outline: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, Cover]:
    """The ellipse inside the box; its edge from the distance to first order, good to 1 % of a pixel."""
    x1, y1, x2, y2 = face.box.tolist()

    def cover(x: torch.Tensor, y: torch.Tensor, grow: float) -> torch.Tensor:
        a, b = (x2 - x1) / 2 + grow, (y2 - y1) / 2 + grow
        if a <= 0 or b <= 0:
            return torch.zeros(y.shape[0], x.shape[1])
        x, y = (x - (x1 + x2) / 2) / a, (y - (y1 + y2) / 2) / b
        square = x * x + y * y
        slope = ((x / a) ** 2 + (y / b) ** 2).sqrt().clamp(min=1e-9)
        return (0.5 - (square - 1) / (2 * slope)).clamp(0, 1)

    return face.box, cover


def _hull(face: Face, outline: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, Cover]:
    """The outline of the face's landmarks, moved outwards by the true distance to it."""
    corners = outline()

    def cover(x: torch.Tensor, y: torch.Tensor, grow: float) -> torch.Tensor:
        return (0.5 + grow - distance_to_polygon(x, y, corners)).clamp(0, 1)

    return torch.cat([corners.amin(dim=0), corners.amax(dim=0)]), cover


def distance_to_polygon(x: torch.Tensor, y: torch.Tensor, corners: torch.Tensor) -> torch.Tensor:
    """Distance [h, w] of points (x [1, w], y [h, 1]) to a convex polygon [n, 2]; negative inside."""
    following = corners.roll(-1, dims=0)
    area = (corners[:, 0] * following[:, 1] - corners[:, 1] * following[:, 0]).sum()
    turn = 1.0 if area >= 0 else -1.0
    edges = [
        (ax, ay, bx - ax, by - ay)
        for (ax, ay), (bx, by) in zip(corners.tolist(), following.tolist(), strict=True)
        if (ax, ay) != (bx, by)
    ]
    if not edges:  # all corners in one place
        return torch.hypot(x - corners[0, 0], y - corners[0, 1])
    distance = torch.full((y.shape[0], x.shape[1]), -float("inf"))
    for ax, ay, dx, dy in edges:
        # How far outwards of this edge; inside, the nearest edge is the one with the largest.
        across, down = turn * dy / math.hypot(dx, dy), -turn * dx / math.hypot(dx, dy)
        distance = torch.maximum(distance, across * (x - ax) + down * (y - ay))
    outside = distance > 0
    px, py = x.expand_as(distance)[outside], y.expand_as(distance)[outside]
    nearest = torch.full_like(px, float("inf"))
    for ax, ay, dx, dy in edges:
        along = (((px - ax) * dx + (py - ay) * dy) / (dx * dx + dy * dy)).clamp(0, 1)
        nearest = torch.minimum(nearest, (px - ax - along * dx) ** 2 + (py - ay - along * dy) ** 2)
    distance[outside] = nearest.sqrt()
    return distance


def soften(masks: torch.Tensor, feather: float) -> torch.Tensor:
    """A Gaussian that ends `feather` pixels from the edge, so that what lies further away stays as it was.

    Masks [B, H, W] -> a new tensor. Only the part of each that is not all zeros is looked at.
    """
    from kornia.filters import gaussian_blur2d

    if feather < _SHARP:
        return masks.clone()
    radius = max(1, round(feather))
    soft = torch.zeros_like(masks)
    for mask, target in zip(masks, soft, strict=True):
        rows, columns = (_near(mask.any(dim=dim), radius) for dim in (1, 0))
        if rows.start < rows.stop:
            blurred = gaussian_blur2d(
                mask[None, None, rows, columns].contiguous(),  # five times quicker so
                2 * radius + 1,
                (feather / 2, feather / 2),
                border_type="replicate",
            )
            target[rows, columns] = blurred[0, 0].clamp(0, 1)
    return soft


def _near(filled: torch.Tensor, radius: int) -> slice:
    """From the first True to the last, and `radius` places more each way where there are any."""
    places = filled.nonzero().flatten().tolist()
    return slice(max(0, places[0] - radius), places[-1] + 1 + radius) if places else slice(0, 0)


REGIONS: dict[str, Region] = {"box": _box, "hull": _hull, "ellipse": _ellipse}
