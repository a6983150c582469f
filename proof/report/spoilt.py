"""True pictures with something wrong that an eye sees at once: what a measure of faces must not pass."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.labels import NAMES

from ..world.draw import Drawing

Picture = NDArray[np.uint8]


def one_eyed(drawing: Drawing) -> Picture:
    """The eye at the picture's left painted over with what is around it, lashes and crease too."""
    return painted_over(drawing, "left eye", grow=4)


def painted_over(drawing: Drawing, *names: str, grow: int = 2) -> Picture:
    """Parts by the parser's names, and so many pixels around them."""
    there = np.isin(drawing.labels, [NAMES.index(name) for name in names]).astype(np.uint8)
    there = cv2.dilate(there, np.ones((2 * grow + 1,) * 2, np.uint8)).astype(np.uint8)
    return cv2.inpaint(drawing.picture, there, 3, cv2.INPAINT_TELEA).astype(np.uint8)


def smeared(drawing: Drawing) -> Picture:
    """Nothing is left of the nose and of what is beside it."""
    rows, columns = _box(drawing, 0.35, 0.45, 0.3)
    changed = drawing.picture.copy()
    changed[rows, columns] = cv2.GaussianBlur(drawing.picture, (0, 0), 6)[rows, columns]
    return changed


def turned_halves(drawing: Drawing) -> Picture:
    """Each half of the face mirrored by itself."""
    rows, columns = _box(drawing, 0.9, 0.5, 0.4)
    middle = (columns.start + columns.stop) // 2
    changed = drawing.picture.copy()
    for half in (slice(columns.start, middle), slice(middle, columns.stop)):
        changed[rows, half] = drawing.picture[rows, half][:, ::-1]
    return changed


def _box(drawing: Drawing, beside: float, above: float, below: float) -> tuple[slice, slice]:
    """Rows and columns around the first face: beside its nose, above its eyes, below its mouth, in parts of
    the eyes' distance."""
    points = drawing.points[0].astype(np.float64)
    eyes = float(np.linalg.norm(points[1] - points[0]))
    middle, high, low = points[2, 0], points[:2, 1].mean(), points[3:, 1].mean()
    edges = np.rint([high - above * eyes, low + below * eyes, middle - beside * eyes, middle + beside * eyes])
    top, bottom, left, right = edges.clip(0).astype(int).tolist()
    return slice(top, bottom), slice(left, right)
