"""A face brought into place by its five points, as recognisers see it."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from likeness.faces.align import TEMPLATE, similarity

#: How the recogniser sees a face: as ArcFace does.
RECOGNISED = (112, 1.0)
#: How the judge sees it: with chin, ears and some hair.
JUDGED = (72, 0.72)


def crop(
    picture: NDArray[np.uint8], points: NDArray[np.float32], frame: tuple[int, float]
) -> NDArray[np.uint8]:
    """[H, W, 3] uint8 -> [size, size, 3]. frame: the size, and how large the face is against ArcFace's."""
    size, part = frame
    place = ((TEMPLATE - 56) * part + 56) * (size / 112)
    matrix = similarity(torch.from_numpy(points), place).numpy()
    seen: NDArray[np.uint8] = cv2.warpAffine(
        np.ascontiguousarray(picture),
        matrix,
        (size, size),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return seen


def batch(crops: list[NDArray[np.uint8]]) -> torch.Tensor:
    """float32 [n, 3, size, size], -1..1."""
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def jitter(
    points: NDArray[np.float32], chance: np.random.Generator, shift: float = 0.0
) -> NDArray[np.float32]:
    """Points as a detector might give them: mouth corners lie further out, all of them a little off.

    shift: deviation of all of them together, in parts of the eyes' distance, along each axis.
    """
    eyes = float(np.linalg.norm(points[1] - points[0]))
    moved = points + chance.normal(0, 0.04 * eyes, points.shape).astype(np.float32)
    if shift:
        moved = moved + chance.normal(0, shift * eyes, 2).astype(np.float32)
    out = (points[4] - points[3]) * chance.uniform(0, 0.2)
    moved[3] -= out
    moved[4] += out
    return moved.astype(np.float32)
