"""Turning and scaling pictures without jagged edges. Places count pixel edges: pixel 0 spans 0 to 1."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from .align import transform

#: A cubic looks at so many pixels each way.
_REACH = 2


def resample(
    planes: torch.Tensor, to_source: torch.Tensor, size: tuple[int, int], mode: str = "bicubic"
) -> torch.Tensor:
    """Planes [1, C, H, W] -> [1, C, *size] float32 on the CPU, seen through a map of turn, scale and shift.

    to_source [2, 3] float64 takes places in the output to places in the input. Beyond the input's edge its
    last pixels go on. What becomes smaller is averaged, not sampled. size: (height, width).
    """
    step = scale_of(to_source)
    planes, to_source = _part_seen(planes, to_source, size, math.ceil(2 * _REACH * max(1.0, step)) + 1)
    if step > 1:
        height, width = planes.shape[-2:]
        smaller = max(1, round(height / step)), max(1, round(width / step))
        planes = resized(planes, smaller)
        to_source = scaled(to_source, smaller[1] / width, smaller[0] / height)
    grid = F.affine_grid(
        _normalised(to_source, size, planes).to(torch.float32)[None],
        [1, 1, *size],
        align_corners=False,
    )
    return F.grid_sample(planes, grid, mode, padding_mode="border", align_corners=False)


def resized(planes: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Planes [1, C, H, W] at another size, with averages where that is smaller."""
    if tuple(planes.shape[-2:]) == size:
        return planes
    return F.interpolate(planes, size, mode="bicubic", align_corners=False, antialias=True)


def scale_of(matrix: torch.Tensor) -> float:
    """How much longer a map [2, 3] of turn, scale and shift makes things."""
    return math.sqrt(abs(float(torch.linalg.det(matrix[:, :2]))))


def scaled(matrix: torch.Tensor, across: float, down: float) -> torch.Tensor:
    """A map [2, 3] whose result is then stretched."""
    return matrix * torch.tensor([[across], [down]], dtype=matrix.dtype)


def chained(first: torch.Tensor, then: torch.Tensor) -> torch.Tensor:
    """The map [2, 3] that does one and then the other."""
    linear = then[:, :2] @ first[:, :2]
    return torch.cat([linear, (then[:, :2] @ first[:, 2] + then[:, 2])[:, None]], dim=1)


def scaling(scale: float, left: float = 0.0, top: float = 0.0) -> torch.Tensor:
    """The map [2, 3] float64 that scales, then shifts."""
    return torch.tensor([[scale, 0.0, left], [0.0, scale, top]], dtype=torch.float64)


def bounds(
    matrix: torch.Tensor, size: tuple[float, float], limit: tuple[int, int], reach: int = 0
) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) in whole pixels of what a map makes of a rectangle, cut off at `limit`.

    Both sizes are (width, height). At least a pixel is left, so that there is an edge to go on from.
    """
    width, height = size
    corners = torch.tensor([[0, 0], [width, 0], [0, height], [width, height]], dtype=matrix.dtype)
    seen = transform(matrix, corners)
    low, high = seen.amin(dim=0).floor().tolist(), seen.amax(dim=0).ceil().tolist()
    left, top = (min(max(0, int(v) - reach), end - 1) for v, end in zip(low, limit, strict=True))
    right, bottom = (
        max(start + 1, min(end, int(v) + reach))
        for v, start, end in zip(high, (left, top), limit, strict=True)
    )
    return left, top, right, bottom


def _part_seen(
    planes: torch.Tensor, to_source: torch.Tensor, size: tuple[int, int], reach: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The part of the planes that the output looks at, and the map to it."""
    height, width = planes.shape[-2:]
    left, top, right, bottom = bounds(to_source, (size[1], size[0]), (width, height), reach)
    part = planes[..., top:bottom, left:right].to("cpu", torch.float32)
    return part, chained(to_source, scaling(1.0, -left, -top))


def _normalised(to_source: torch.Tensor, size: tuple[int, int], planes: torch.Tensor) -> torch.Tensor:
    """The same map between places from -1 to 1, edge to edge, as PyTorch counts."""
    height, width = planes.shape[-2:]
    halves = torch.tensor([[size[1] / 2, 0, size[1] / 2], [0, size[0] / 2, size[0] / 2]], dtype=torch.float64)
    matrix = scaled(chained(halves, to_source), 2 / width, 2 / height)
    return matrix - torch.tensor([[0.0, 0, 1], [0, 0, 1]], dtype=torch.float64)
