"""468 points of a face, from the small network that comes with the pack (MediaPipe's face_landmark)."""

from __future__ import annotations

import logging
import math
from typing import Any

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
    session = once("mesh", find_file("embedded/mesh"), PROVIDERS["CPU"], open_session)
    x1, y1, x2, y2 = face.box.tolist()
    centre, side = torch.tensor([(x1 + x2) / 2, (y1 + y2) / 2]), max(x2 - x1, y2 - y1)
    points, _ = _look(session, picture, centre, side, face.keypoints)
    eyes = points[_EYE_CORNERS]
    level = _crop(centre, 1.0, eyes)
    upright = transform(level, points)
    low, high = upright.amin(dim=0), upright.amax(dim=0)
    centre = transform(invert(level), (low + high)[None] / 2)[0]
    points, presence = _look(session, picture, centre, float((high - low).max()), eyes)
    if presence < 0.5:
        log.warning("The mesh is not sure of %r (%.2f): its hull may be off.", face, presence)
    return points.to(torch.float32)


def _crop(centre: torch.Tensor, scale: float, eyes: torch.Tensor) -> torch.Tensor:
    """The map [2, 3] that levels the eyes (left, right) and brings `centre` to the middle of the crop."""
    across = (eyes[1] - eyes[0]).tolist()
    angle = math.atan2(across[1], across[0])
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    linear = torch.tensor([[cos, sin], [-sin, cos]], dtype=torch.float64)
    middle = torch.full((2,), (_SIZE - 1) / 2, dtype=torch.float64)
    return torch.cat([linear, (middle - linear @ centre.to(torch.float64))[:, None]], dim=1)


def _look(
    session: Any, picture: torch.Tensor, centre: torch.Tensor, side: float, eyes: torch.Tensor
) -> tuple[torch.Tensor, float]:
    """One run: points [468, 2] in pixels of the picture, and how sure the network is of a face."""
    matrix = _crop(centre, _SIZE / (_MARGIN * max(side, 1.0)), eyes)
    crop = warp(picture, matrix, _SIZE).permute(2, 0, 1)[None].to(torch.float32) / 255.0
    mesh, presence = session.run(None, {session.get_inputs()[0].name: crop.contiguous().numpy()})[:2]
    if mesh.size != POINTS * 3:
        raise BrokenModel(
            f"The mesh gave {mesh.size} numbers instead of {POINTS} x 3: its file is another model."
        )
    points = torch.from_numpy(mesh.reshape(POINTS, 3)[:, :2])
    return transform(invert(matrix), points), float(torch.sigmoid(torch.from_numpy(presence).flatten()[0]))
