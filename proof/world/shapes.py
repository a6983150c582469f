"""Smooth curves as polygons: plain geometry, nothing of faces."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float64]


@lru_cache(maxsize=64)
def _basis(count: int, closed: bool, steps: int) -> Points:
    """[samples, count]: a Catmull-Rom spline through `count` points."""
    spans = count if closed else count - 1
    at = np.linspace(0, spans, spans * steps + (0 if closed else 1), endpoint=not closed)
    span = np.minimum(at.astype(int), spans - 1)
    t = at - span
    weights = (
        (-t + 2 * t**2 - t**3) / 2,
        (2 - 5 * t**2 + 3 * t**3) / 2,
        (t + 4 * t**2 - 3 * t**3) / 2,
        (-(t**2) + t**3) / 2,
    )
    basis = np.zeros((len(at), count))
    rows = np.arange(len(at))
    for offset, weight in zip((-1, 0, 1, 2), weights, strict=True):
        place = span + offset
        place = place % count if closed else np.clip(place, 0, count - 1)
        np.add.at(basis, (rows, place), weight)
    basis.flags.writeable = False
    return basis


def smooth(points: ArrayLike, closed: bool = True, steps: int = 6) -> Points:
    """A smooth curve [n, 2] through points [m, 2]."""
    through = np.asarray(points, dtype=np.float64)
    return _basis(len(through), closed, steps) @ through


@lru_cache(maxsize=8)
def _circle(count: int) -> Points:
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    circle.flags.writeable = False
    return circle


def ellipse(x: float, y: float, wide: float, high: float, count: int = 24) -> Points:
    """Around a middle, with half axes."""
    return _circle(count) * (wide, high) + (x, y)


def ribbon(line: Points, widths: ArrayLike) -> Points:
    """A line [n, 2] with a thickness at each point (or one for all), as a polygon."""
    along = np.empty_like(line)
    along[1:-1] = line[2:] - line[:-2]
    along[0], along[-1] = line[1] - line[0], line[-1] - line[-2]
    along /= np.maximum(np.sqrt((along**2).sum(axis=1, keepdims=True)), 1e-9)
    half = np.broadcast_to(np.asarray(widths, dtype=np.float64) / 2, len(line))[:, None]
    away = np.stack([-along[:, 1], along[:, 0]], axis=1) * half
    return np.concatenate([line + away, (line - away)[::-1]])


def ring(line: Points, thick: float) -> Points:
    """A closed line with a thickness, as one polygon whose hole stays open."""
    along = np.roll(line, -1, axis=0) - np.roll(line, 1, axis=0)
    along /= np.maximum(np.sqrt((along**2).sum(axis=1, keepdims=True)), 1e-9)
    away = np.stack([-along[:, 1], along[:, 0]], axis=1) * thick / 2
    outer, inner = line - away, line + away
    return np.concatenate([outer, outer[:1], inner[:1], inner[::-1]])


def mirrored(points: Points) -> Points:
    """Left to right about x = 0."""
    return points * (-1.0, 1.0)
