"""The picture of five points that InstantID's ControlNet follows. Spec: instantid_arc2face.md 1.2."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

import torch

from ..choices.faces import BLACK, FITS, LAST, POINTS, STOP, WITHOUT_FACE
from ..values import Face, Faces
from .policy import pictures

log = logging.getLogger(__name__)

#: Eye, eye, nose, mouth corner, mouth corner. RGB.
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255))
_STICKS = ((0, 2), (1, 2), (3, 2), (4, 2))
_STICK_HALF_WIDTH, _DOT_RADIUS = 4, 10
#: The reference multiplies the sticks' colour by 0.6 on a float canvas: 255 becomes exactly 153.
_STICK_BRIGHTNESS = 153


def draw_kps(width: int, height: int, faces: Sequence[torch.Tensor]) -> Any:
    """Five points [5, 2] of each face, pixel for pixel as the reference draws them; or the first three.

    A numpy array [height, width, 3], uint8 RGB. Spec 1.2.2.
    """
    import cv2
    import numpy as np

    canvas = np.zeros((height, width, 3), dtype=np.uint8)
    for points in faces:
        _sticks(cv2, canvas, points.tolist())
    for points in faces:
        for (x, y), colour in zip(points.tolist(), COLOURS[: len(points)], strict=True):
            cv2.circle(canvas, (int(x), int(y)), _DOT_RADIUS, colour, -1)
    return canvas


def _sticks(cv2: Any, canvas: Any, points: list[list[float]]) -> None:
    for a, b in _STICKS:
        if a >= len(points):
            break
        (xa, ya), (xb, yb) = points[a], points[b]
        length = math.hypot(xa - xb, ya - yb)
        angle = math.degrees(math.atan2(ya - yb, xa - xb))
        centre = (int((xa + xb) / 2), int((ya + yb) / 2))
        outline = cv2.ellipse2Poly(centre, (int(length / 2), _STICK_HALF_WIDTH), int(angle), 0, 360, 1)
        colour = tuple(_STICK_BRIGHTNESS if value else 0 for value in COLOURS[a])
        cv2.fillConvexPoly(canvas, outline, colour)


def keypoint_images(
    faces: Faces,
    width: int = 0,
    height: int = 0,
    fit: str = "stretch",
    points: str = "all",
    without_face: str = STOP,
) -> torch.Tensor:
    """One picture [B, H, W, 3] float32 per picture of `faces`, drawn at its final size. Spec 1.2.3.

    Dots keep their radius. width, height: 0 is the source's. fit: how the source's shape becomes the
    output's: stretch it, crop to its middle, or pad around it. points: a key of POINTS. without_face: a
    name of WITHOUT_FACE. Raises ValueError naming the pictures without a face, unless they are drawn.
    """
    if points not in POINTS:
        raise ValueError(f"points must be one of {', '.join(POINTS)}, not {points!r}.")
    if without_face not in WITHOUT_FACE:
        raise ValueError(f"without_face must be one of {', '.join(WITHOUT_FACE)}, not {without_face!r}.")
    shown = _shown(faces, without_face)
    width, height = width or faces.size[0], height or faces.size[1]
    scale, offset = placement(faces.size, (width, height), fit)
    count = POINTS[points]
    drawn = [
        draw_kps(width, height, [(face.keypoints * scale + offset)[:count] for face in found])
        for found in shown
    ]
    return torch.stack([torch.from_numpy(picture) for picture in drawn]).to(torch.float32) / 255.0


def _shown(faces: Faces, without_face: str) -> list[Sequence[Face]]:
    """Whose points are drawn in each picture."""
    if not faces.faces:
        raise ValueError(
            "There are no keypoints to draw: no face in an empty batch. Every picture was skipped for want "
            "of a face: use others, or branch on the output found."
        )
    empty = [index for index, found in zip(faces.indices, faces.faces, strict=True) if not found]
    if empty and without_face == STOP:
        raise ValueError(
            f"There are no keypoints to draw: no face in {pictures(empty)}. For a clip, which must stay in "
            f"step, set without_face to {BLACK} or {LAST}; else set if_no_face to skip in Detect Faces to "
            "leave such pictures out."
        )
    if empty and without_face == LAST and not faces.count:
        raise ValueError(
            f"There are no keypoints to draw: no face in any picture, so there is no last one to repeat. Use "
            f"other pictures, or set without_face to {BLACK}."
        )
    if empty:
        log.info("No face in %s: drawn as %s.", pictures(empty), without_face)
    shown: list[Sequence[Face]] = []
    # Before the first face there is no last one: the first it will be.
    last = next((found for found in faces.faces if found), ()) if without_face == LAST else ()
    for found in faces.faces:
        if found and without_face == LAST:
            last = found
        shown.append(found or last)
    return shown


def placement(
    source: tuple[int, int], target: tuple[int, int], fit: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale [2] and offset [2] from pixels of a picture to pixels of another; sizes are width, height."""
    if fit not in FITS:
        raise ValueError(f"fit must be one of {', '.join(FITS)}, not {fit!r}.")
    have, want = torch.tensor(source, dtype=torch.float32), torch.tensor(target, dtype=torch.float32)
    scale = want / have
    if fit != "stretch":
        scale = (scale.max() if fit == "crop" else scale.min()).expand(2)
    return scale, (want - scale * have) / 2
