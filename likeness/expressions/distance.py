"""How far apart the expressions of two faces are, in one number.

Two measures. Blendshapes: the mean difference over MediaPipe's 52, which the papers report; they come from
the host's landmarker. Ratios: five proportions of the embedded mesh, for when that is not there; the idea
of the landmark score in pva_freecure_emojidiff.md C.6. Both are 0 for equal expressions, of different scale
beyond that, and never mixed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from ..faces.mesh_points import MESHES

BLENDSHAPES, RATIOS = MEASURES = ("blendshapes", "ratios")
#: How many numbers MediaPipe gives a face, `_neutral` among them.
BLENDSHAPE_COUNT = 52
#: The five proportions, in the order of `ratios`.
RATIO_NAMES = ("eyes open", "brows up", "mouth open", "mouth wide", "mouth corners up")

#: Corners, and lids as (upper, lower), of the eye at the left of an upright picture, then of the other.
_CORNERS = ((33, 133), (263, 362))
_LIDS = (((160, 144), (159, 145), (158, 153)), ((387, 373), (386, 374), (385, 380)))
_BROWS = ((70, 63, 105, 66, 107), (300, 293, 334, 296, 336))
_LIPS = ((82, 87), (13, 14), (312, 317))
_MOUTH = (61, 291)
_UNDER_NOSE, _NOSE_TIP, _EARS = 2, 4, (234, 454)
#: How far the tip of the nose stands out of a head, as a part of half its width: what `yaw` assumes.
_NOSE = 0.35


def ratios(mesh: torch.Tensor) -> torch.Tensor:
    """Five proportions of a mesh [468 or 478, 2 or 3] in pixels: [5, 2] float32, left and right of each.

    Named in RATIO_NAMES. Heights (lids, brows over the eyes' corners, lips, the mouth's corners over the
    middle of the lips) are parts of the height from the eyes to the base of the nose, the mouth's width a
    part of the distance between the outer corners of the eyes: what a grimace leaves as it is. So turning in
    the plane, size and place don't count; turns of the head do somewhat. The mouth's opening and width have
    no sides: both columns hold the same. Raises ValueError for another number of points, or points in one
    place.
    """
    points = _mesh(mesh)
    eyes = points[torch.tensor(_CORNERS)].mean(dim=1)
    across = eyes[1] - eyes[0]
    across = across / across.norm().clamp(min=1e-6)
    down = torch.stack([-across[1], across[0]])
    middle = eyes.mean(dim=0)
    if float((points[_UNDER_NOSE] - middle) @ down) < 0:
        down = -down  # a picture in a mirror
    heights, places = (points - middle) @ down, (points - middle) @ across
    nose, wide = heights[_UNDER_NOSE], places[_CORNERS[1][0]] - places[_CORNERS[0][0]]
    if float(nose) < 1e-3 or float(wide) < 1e-3:
        raise ValueError("A face's mesh lies in one place or on a line: it has no expression to measure.")
    lids, lips = heights[torch.tensor(_LIDS)], heights[torch.tensor(_LIPS)]
    corners = heights[torch.tensor(_CORNERS)].mean(dim=1)
    found = [
        (lids[..., 1] - lids[..., 0]).mean(dim=1) / nose,
        (corners - heights[torch.tensor(_BROWS)].mean(dim=1)) / nose,
        ((lips[:, 1] - lips[:, 0]).mean() / nose).expand(2),
        ((places[_MOUTH[1]] - places[_MOUTH[0]]) / wide).expand(2),
        (lips.mean() - heights[list(_MOUTH)]) / nose,
    ]
    return torch.stack(found)


def ratio_distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """Mean absolute difference of the five `ratios` [5, 2] of two faces, sides counted apart."""
    return float((one - other).abs().mean())


def blendshape_distance(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Mean absolute difference of two faces' 52 blendshapes, 0 to 1. Raises ValueError for others."""
    if len(one) != BLENDSHAPE_COUNT or set(one) != set(other):
        raise ValueError(
            f"Blendshapes are compared one by one, but there are {len(one)} and {len(other)} of them instead "
            f"of {BLENDSHAPE_COUNT}, or they have different names."
        )
    return sum(abs(float(one[name]) - float(other[name])) for name in one) / len(one)


def yaw(mesh: torch.Tensor) -> float:
    """How far a head is turned to the side, in degrees; 0 looks at the camera. An estimate.

    From where the tip of the nose lies between the ears, for a round head whose nose stands out by 0.35 of
    half its width. Raises ValueError as `ratios`.
    """
    points = _mesh(mesh)
    ears = points[list(_EARS)]
    across = ears[1] - ears[0]
    half = float(across.norm()) / 2
    if half < 1e-3:
        raise ValueError("A face's mesh lies in one place or on a line: the head's turn can't be seen.")
    aside = float((points[_NOSE_TIP] - ears.mean(dim=0)) @ across) / (2 * half)
    return math.degrees(math.atan2(aside, half * (1 + _NOSE)))


def _mesh(mesh: torch.Tensor) -> torch.Tensor:
    if mesh.ndim != 2 or mesh.shape[0] not in MESHES or mesh.shape[1] not in (2, 3):
        raise ValueError(f"A face mesh has shape [468 or 478, 2 or 3], not {list(mesh.shape)}.")
    return mesh[:, :2].to("cpu", torch.float32)
