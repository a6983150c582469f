"""468 points of a face, from the small network that comes with the pack (MediaPipe's face_landmark)."""

from __future__ import annotations

import logging
import math

import torch

from ..values import Face
from ..weights.find import find_file
from .align import invert, transform, warp
from .sessions import PROVIDERS, BrokenModel, once, open_session

log = logging.getLogger(__name__)

#: The network sees a square of 1.5 box sides, upright, in 192 pixels.
_SIZE, _MARGIN = 192, 1.5
POINTS = 468
#: Outer corners of the two eyes among the points: the one at the left of the picture first.
_EYE_CORNERS = [33, 263]


def landmarks(picture: torch.Tensor, face: Face) -> torch.Tensor:
    """Points [468, 2] of a face in pixels of its picture [H, W, 3] uint8 RGB.

    A second look, cropped from the first mesh, puts right what a tilted head does to the box.
    """
    x1, y1, x2, y2 = face.box.tolist()
    centre, side = torch.tensor([(x1 + x2) / 2, (y1 + y2) / 2]), max(x2 - x1, y2 - y1)
    points, _ = look(picture, centre, side, _angle(face.keypoints))
    angle = _angle(points[_EYE_CORNERS])
    points, presence = look(picture, *extent(points, angle), angle)
    if presence < 0:
        log.warning("The mesh is not sure of %r (%.1f): its hull may be off.", face, presence)
    return points.to(torch.float32)


def look(
    picture: torch.Tensor, centre: torch.Tensor, side: float, angle: float
) -> tuple[torch.Tensor, float]:
    """One run on a square of a picture [H, W, 3] uint8 RGB: points [468, 2] float64 in its pixels, presence.

    side: of the face, in pixels. angle: in which its eyes lie, in radians, clockwise. presence is a logit:
    about 25 for a face that stands upright in the square, 0 where the network can't tell.
    """
    session = once("mesh", find_file("embedded/mesh"), PROVIDERS["CPU"], open_session)
    matrix = _crop(centre, _SIZE / (_MARGIN * max(side, 1.0)), angle)
    crop = warp(picture, matrix, _SIZE).permute(2, 0, 1)[None].to(torch.float32) / 255.0
    mesh, presence = session.run(None, {session.get_inputs()[0].name: crop.contiguous().numpy()})[:2]
    if mesh.size != POINTS * 3:
        raise BrokenModel(
            f"The mesh gave {mesh.size} numbers instead of {POINTS} x 3: its file is another model."
        )
    points = torch.from_numpy(mesh.reshape(POINTS, 3)[:, :2])
    return transform(invert(matrix), points), float(presence.flat[0])


def extent(points: torch.Tensor, angle: float) -> tuple[torch.Tensor, float]:
    """Middle [2] and longer side of the rectangle around points, whose sides lie at an angle."""
    level = _crop(torch.zeros(2), 1.0, angle)
    upright = transform(level, points)
    low, high = upright.amin(dim=0), upright.amax(dim=0)
    return transform(invert(level), (low + high)[None] / 2)[0], float((high - low).max())


def _angle(eyes: torch.Tensor) -> float:
    """Of the line from the first point to the second."""
    across, down = (eyes[1] - eyes[0]).tolist()
    return math.atan2(down, across)


def _crop(centre: torch.Tensor, scale: float, angle: float) -> torch.Tensor:
    """The map [2, 3] that turns an angle level and brings `centre` to the middle of the crop."""
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    linear = torch.tensor([[cos, sin], [-sin, cos]], dtype=torch.float64)
    middle = torch.full((2,), (_SIZE - 1) / 2, dtype=torch.float64)
    return torch.cat([linear, (middle - linear @ centre.to(torch.float64))[:, None]], dim=1)
