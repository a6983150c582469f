"""Masks of faces, exact to a part of a pixel. Boxes count pixel edges: pixel 0 spans 0 to 1."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache, partial

import torch

from ..values import Face, Faces
from .mesh import landmarks
from .pixels import rgb8
from .policy import pictures

log = logging.getLogger(__name__)

Region = Callable[[Face, Callable[[], torch.Tensor], float, int, int], torch.Tensor]


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
    masks = torch.stack([_mask(faces, index, REGIONS[region], grow) for index in range(len(faces.faces))])
    _report_empty(faces, masks)
    return soften(masks, feather) if feather > 0 else masks


def _mask(faces: Faces, index: int, region: Region, grow: float) -> torch.Tensor:
    @cache
    def picture() -> torch.Tensor:
        return torch.from_numpy(rgb8(faces.images, index, "faces"))

    width, height = faces.size
    mask = torch.zeros(height, width)
    for face in faces.faces[index]:
        outline = partial(_outline, face, picture)
        mask = torch.maximum(mask, region(face, outline, grow, width, height))
    return mask


def _outline(face: Face, picture: Callable[[], torch.Tensor]) -> torch.Tensor:
    """The convex outline [n, 2] of a face's landmarks, corner after corner; by the mesh if there are none."""
    import cv2

    points = landmarks(picture(), face) if face.landmarks is None else face.landmarks
    hull = cv2.convexHull(points[:, :2].to(torch.float32).contiguous().numpy())
    return torch.from_numpy(hull[:, 0]) + 0.5  # landmarks count from the centre of the first pixel


def _report_empty(faces: Faces, masks: torch.Tensor) -> None:
    without = [place for place, found in zip(faces.indices, faces.faces, strict=True) if not found]
    if without:
        log.warning("No face in %s: the mask is empty there.", pictures(without))
    filled = masks.flatten(1).any(dim=1).tolist()
    shrunk = [
        p for p, found, full in zip(faces.indices, faces.faces, filled, strict=True) if found and not full
    ]
    if shrunk:
        log.warning("The mask of %s is empty: shrunk to nothing, or outside the picture.", pictures(shrunk))


def _box(
    face: Face, outline: Callable[[], torch.Tensor], grow: float, width: int, height: int
) -> torch.Tensor:
    """How much of each pixel the box covers."""
    x1, y1, x2, y2 = face.box.tolist()
    across, down = _covered(x1 - grow, x2 + grow, width), _covered(y1 - grow, y2 + grow, height)
    return down[:, None] * across[None, :]


def _covered(start: float, end: float, size: int) -> torch.Tensor:
    edge = torch.arange(size, dtype=torch.float32)
    return ((edge + 1).clamp(max=end) - edge.clamp(min=start)).clamp(min=0)


def _ellipse(
    face: Face, outline: Callable[[], torch.Tensor], grow: float, width: int, height: int
) -> torch.Tensor:
    """The ellipse inside the box; its edge from the distance to first order, good to 1 % of a pixel."""
    x1, y1, x2, y2 = face.box.tolist()
    a, b = (x2 - x1) / 2 + grow, (y2 - y1) / 2 + grow
    if a <= 0 or b <= 0:
        return torch.zeros(height, width)
    x = ((torch.arange(width) + 0.5 - (x1 + x2) / 2) / a)[None, :]
    y = ((torch.arange(height) + 0.5 - (y1 + y2) / 2) / b)[:, None]
    square = x * x + y * y
    slope = ((x / a) ** 2 + (y / b) ** 2).sqrt().clamp(min=1e-9)
    return (0.5 - (square - 1) / (2 * slope)).clamp(0, 1)


def _hull(
    face: Face, outline: Callable[[], torch.Tensor], grow: float, width: int, height: int
) -> torch.Tensor:
    """The outline of the face's landmarks, moved outwards by the true distance to it."""
    corners = outline()
    mask = torch.zeros(height, width)
    reach = max(grow, 0) + 2
    (x1, y1), (x2, y2) = (corners.amin(dim=0) - reach).tolist(), (corners.amax(dim=0) + reach).tolist()
    left, top, right, bottom = (
        max(0, int(x1)),
        max(0, int(y1)),
        min(width, int(x2) + 1),
        min(height, int(y2) + 1),
    )
    if left >= right or top >= bottom:
        return mask
    x, y = torch.arange(left, right) + 0.5, torch.arange(top, bottom) + 0.5
    distance = distance_to_polygon(x[None, :], y[:, None], corners)
    mask[top:bottom, left:right] = (0.5 + grow - distance).clamp(0, 1)
    return mask


def distance_to_polygon(x: torch.Tensor, y: torch.Tensor, corners: torch.Tensor) -> torch.Tensor:
    """Distance in pixels of points (x, y broadcast) to a convex polygon [n, 2], negative inside."""
    following = corners.roll(-1, dims=0)
    area = (corners[:, 0] * following[:, 1] - corners[:, 1] * following[:, 0]).sum()
    turn = 1.0 if area >= 0 else -1.0
    nearest = torch.full(torch.broadcast_shapes(x.shape, y.shape), float("inf"))
    inside = torch.ones_like(nearest, dtype=torch.bool)
    for (ax, ay), (bx, by) in zip(corners.tolist(), following.tolist(), strict=True):
        dx, dy = bx - ax, by - ay
        along = (((x - ax) * dx + (y - ay) * dy) / max(dx * dx + dy * dy, 1e-12)).clamp(0, 1)
        nearest = torch.minimum(nearest, (x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2)
        inside &= turn * (dx * (y - ay) - dy * (x - ax)) >= 0
    return torch.where(inside, -1.0, 1.0) * nearest.sqrt()


def soften(masks: torch.Tensor, feather: float) -> torch.Tensor:
    """A Gaussian that ends `feather` pixels from the edge, so that what lies further away stays as it was."""
    from kornia.filters import gaussian_blur2d

    radius = max(1, round(feather))
    blurred = gaussian_blur2d(
        masks[:, None], 2 * radius + 1, (feather / 2, feather / 2), border_type="replicate"
    )
    return blurred[:, 0].clamp(0, 1)


REGIONS: dict[str, Region] = {"box": _box, "hull": _hull, "ellipse": _ellipse}
