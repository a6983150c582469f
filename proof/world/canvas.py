"""Where a figure stands in the picture, and the canvas it is painted on, part after part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .scene import MIDDLE, Pose
from .shapes import Points

Colour = Sequence[float]
#: Pixels of the canvas per pixel of the picture, each way: edges are smooth, and thin lines stay.
FINER = 2
#: In the labels of one figure: nothing of it is there.
EMPTY = 255
#: Fractions of a pixel, in bits, that OpenCV draws polygons with.
_BITS = 4
#: The face's half axes as an ellipsoid, in the units of a face: half its height is 1.
_WIDE, _HIGH, _DEEP = 0.95, 1.3, 0.75


class Frame:
    """From a face's own units (its middle (0, 0), half its height 1, y downwards) to pixels of the canvas."""

    def __init__(self, pose: Pose, size: tuple[int, int]) -> None:
        height, width = size
        self.scale = pose.size * min(height, width) / 2
        roll, yaw = math.radians(pose.roll), math.radians(pose.yaw)
        self.cos, self.sin = math.cos(yaw), math.sin(yaw)
        self.turn = np.array([[math.cos(roll), math.sin(roll)], [-math.sin(roll), math.cos(roll)]])
        middle = (MIDDLE[0] + pose.shift[0]) * width - 0.5, (MIDDLE[1] + pose.shift[1]) * height - 0.5
        self.middle = np.array(middle)

    def seen(self, points: Points, over: float | NDArray[Any] = 0.0) -> Points:
        """Points of the face's front as they are seen when the head turns; over: so far above its surface."""
        x, y = points[:, 0], points[:, 1]
        deep = _DEEP * np.sqrt(np.maximum(1 - (x / _WIDE) ** 2 - (y / _HIGH) ** 2, 0.0)) + over
        return np.stack([x * self.cos + deep * self.sin, y], axis=1)

    def behind(self, points: Points, deep: float = 0.0) -> Points:
        """Points of a flat plane behind the face's front, such as the outline or hair at the back."""
        return points * (self.cos, 1.0) + (deep * self.sin, 0.0)

    def pixels(self, points: Points) -> Points:
        """In the canvas, centres of pixels at whole numbers."""
        return points @ self.turn * self.scale + self.middle

    def matrix(self, cells: int, reach: float) -> NDArray[np.float64]:
        """[2, 3], from a square of cells that shows -reach..reach of a face to the canvas."""
        step = 2 * reach / (cells - 1)
        linear = self.turn.T * self.scale
        corner = linear @ np.array([-reach, -reach]) + self.middle
        return np.concatenate([linear * step, corner[:, None]], axis=1)


class Canvas:
    """colours uint8 [H, W, 3] RGB of all figures so far; mine uint8 [H, W], the figure's labels."""

    def __init__(self, colours: NDArray[np.uint8], frame: Frame) -> None:
        self.colours = colours
        self.frame = frame
        self.mine = np.full(colours.shape[:2], EMPTY, dtype=np.uint8)

    def fill(self, points: Points, colour: Colour | None = None, label: int | None = None) -> None:
        """A polygon [n, 2] in the face's units as they are seen; None changes no colour, or no label."""
        fixed = np.rint(self.frame.pixels(points) * (1 << _BITS)).astype(np.int32)
        if colour is not None:
            cv2.fillPoly(self.colours, [fixed], tuple(colour), lineType=cv2.LINE_AA, shift=_BITS)
        if label is not None:
            cv2.fillPoly(self.mine, [fixed], label, shift=_BITS)


def blend(first: Colour, second: Colour, part: float) -> tuple[float, ...]:
    """part 0: the first colour, 1: the second."""
    return tuple(a + (b - a) * part for a, b in zip(first, second, strict=True))


def shaded(colour: Colour, factor: float) -> tuple[float, ...]:
    """Darker below 1, lighter above."""
    return tuple(min(value * factor, 255.0) for value in colour)
