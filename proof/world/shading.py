"""Light: soft shadows on a face as one small map, made in a face's units and stretched over the canvas."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .canvas import EMPTY, Canvas
from .head import Head
from .shapes import Points

#: The map shows -_REACH.._REACH of a face in so many cells each way.
_CELLS, _REACH = 72, 1.8
_AT = np.linspace(-_REACH, _REACH, _CELLS, dtype=np.float32)
#: How much of a shadow each channel takes: skin in the shade is redder.
_RED_SHADE = np.array([0.8, 1.0, 1.12], dtype=np.float32)
_BLUSH = np.array([0.0, 0.16, 0.12], dtype=np.float32)

#: Labels that take the face's light: skin, brows, eyes, ears, nose, mouth and lips.
_FACE = (1, 2, 3, 4, 5, 7, 8, 10, 11, 12, 13)

Map = NDArray[np.float32]
Blob = tuple[float, float, float, float, float]


def shade(canvas: Canvas, head: Head, light: float) -> None:
    """Lights what was painted of a figure so far."""
    frame = canvas.frame
    matrix = frame.matrix(_CELLS, _REACH)
    x, y, wide, high = cv2.boundingRect(cv2.compare(canvas.mine, EMPTY, cv2.CMP_NE))
    if not wide:  # the figure stands outside of the picture
        return
    matrix[:, 2] -= (x, y)
    part = slice(y, y + high), slice(x, x + wide)
    mine, colours = canvas.mine[part], canvas.colours[part]

    def stretched(small: Map) -> NDArray[Any]:
        return cv2.warpAffine(
            small, matrix, (wide, high), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )

    maps = stretched(np.dstack([_face(canvas, head, light), _round(light)]))
    kinds = _kinds()[mine]
    colours[:] = _lit(colours, maps, kinds)


@lru_cache(maxsize=1)
def _kinds() -> NDArray[np.uint8]:
    """Label -> 0 nothing, 1 face, 2 all else."""
    kinds = np.full(256, 2, dtype=np.uint8)
    kinds[list(_FACE)] = 1
    kinds[EMPTY] = 0
    return kinds


def _lit(colours: NDArray[np.uint8], maps: Map, kinds: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = maps[..., 3:].repeat(3, axis=2)
    np.copyto(factor, maps[..., :3], where=(kinds == 1)[..., None])
    np.copyto(factor, 1.0, where=(kinds == 0)[..., None])
    lit: NDArray[np.uint8] = cv2.multiply(colours, factor, dtype=cv2.CV_8U)
    return lit


def _normals(half: float, high: float) -> tuple[Map, Map, Map]:
    x, y = np.meshgrid(_AT / half, _AT / high)
    length = np.maximum(np.sqrt(x * x + y * y), 1.0)
    x, y = x / length, y / length
    return x, y, np.sqrt(np.maximum(1 - x * x - y * y, 0.0))


def _lambert(half: float, high: float, light: float) -> Map:
    """0 in the dark .. 1 where the light falls straight."""
    towards = np.array([0.75 * light, -0.5, 0.85])
    towards /= np.sqrt((towards**2).sum())
    x, y, z = _normals(half, high)
    lit = x * towards[0] + y * towards[1] + z * towards[2]
    return np.maximum(lit, 0.0).astype(np.float32)


def _blobs(blobs: list[Blob]) -> Map:
    """Soft spots (x, y, widths each way, strength), added: separable, so one product of matrices."""
    table = np.array(blobs, dtype=np.float32).T[..., None]
    across = np.exp(-(((_AT - table[0]) / table[2]) ** 2))
    down = np.exp(-(((_AT - table[1]) / table[3]) ** 2)) * table[4]
    return down.T @ across


def _face(canvas: Canvas, head: Head, light: float) -> Map:
    """[cells, cells, 3], what colours are multiplied with."""
    lit = 0.63 + 0.44 * _lambert(head.half * 1.15, 1.3, light)
    lit = lit + _blobs(_relief(canvas, head, light))
    blush = _blobs([(*_seen(canvas, side * 0.42, head.nose[1] - 0.02), 0.2, 0.14, 1.0) for side in (-1, 1)])
    return ((1 + (lit - 1)[..., None] * _RED_SHADE) - blush[..., None] * _BLUSH).astype(np.float32)


def _relief(canvas: Canvas, head: Head, light: float) -> list[Blob]:
    (wide, tip), mouth, chin = head.nose, head.mouth[1], head.chin
    _, lower, gap = head.lips
    eye = head.eyes[1]
    bridge = 0.05 + 0.03 * head["nose_bridge"]
    long = (tip - eye.middle[1]) / 2
    lip = mouth + 0.65 * gap + lower
    blobs: list[Blob] = [
        (*_seen(canvas, 0, -0.5), 0.4, 0.2, 0.06),
        (
            *_seen(canvas, 0, eye.middle[1] + long * 0.9),
            bridge,
            long * 0.8,
            0.13 + 0.05 * head["nose_bridge"],
        ),
        (*_seen(canvas, 0, tip - 0.02), 0.06 + 0.035 * head["nose_tip"], 0.06, 0.15),
        (*_seen(canvas, 0, tip + 0.1), wide, 0.05, -0.16),
        (*_seen(canvas, 0, lip + 0.05), 0.15, 0.05, -0.14),
        (*_seen(canvas, 0, chin - 0.1), 0.14, 0.09, 0.06),
    ]
    for side in (-1, 1):
        dark = 1 + 0.5 * side * -light
        x, y = side * eye.middle[0], eye.middle[1]
        blobs += [
            (*_seen(canvas, x * 0.9, y - eye.high * 1.3), eye.wide * 1.1, 0.09, -0.1),
            (*_seen(canvas, x * 0.45, y + 0.02), 0.07, 0.14, -0.12 * dark),
            (*_seen(canvas, side * (bridge + 0.06), tip - long * 0.8), 0.05, long * 0.6, -0.08 * dark),
            (*_seen(canvas, side * (wide + 0.03), tip + 0.03), 0.05, 0.08, -0.1 * dark),
            (*_seen(canvas, side * 0.44, tip - 0.12), 0.17, 0.12, 0.07 + 0.05 * head["cheekbones"]),
        ]
    return blobs


def _round(light: float) -> Map:
    """For hair, neck and clothes."""
    lit = 0.7 + 0.4 * _lambert(1.35, 1.9, light)
    return lit.astype(np.float32)


def _seen(canvas: Canvas, x: float, y: float) -> tuple[float, float]:
    place: Points = canvas.frame.seen(np.array([(x, y)]))
    return float(place[0, 0]), float(place[0, 1])
