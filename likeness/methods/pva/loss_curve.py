"""The losses of a training as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

_SIZE, _EDGE = (512, 320), (64, 24, 16, 40)  # width, height; left, top, right, bottom
_PAPER, _GRID, _INK, _POINT, _LINE = (255,) * 3, (225,) * 3, (60,) * 3, (170, 190, 220), (200, 80, 30)
#: How much of the line at a point is the point itself; the rest is the line before.
_NEW = 0.2


def smoothed(losses: Sequence[float]) -> list[float]:
    """A running mean, the same weight for each new loss; without the bias towards the first."""
    found, mean, weight = [], 0.0, 0.0
    for loss in losses:
        mean, weight = (1 - _NEW) * mean + _NEW * loss, (1 - _NEW) * weight + _NEW
        found.append(mean / weight)
    return found


def draw_curve(losses: Sequence[float], steps: int) -> torch.Tensor:
    """Each loss a dot and their running mean a line, over `steps` steps: IMAGE [1, H, W, 3] float32.

    Raises ValueError without a loss.
    """
    import cv2
    import numpy as np

    if not losses or not all(map(math.isfinite, losses)):
        raise ValueError("A loss curve needs losses that are numbers.")
    (width, height), (left, top, right, bottom) = _SIZE, _EDGE
    canvas = np.full((height, width, 3), _PAPER, dtype=np.uint8)
    low, high = min(losses), max(losses)
    room = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    low, high = low - room, high + room

    def place(step: int, loss: float) -> tuple[int, int]:
        x = left + (step - 1) / max(steps - 1, 1) * (width - left - right)
        y = top + (high - loss) / (high - low) * (height - top - bottom)
        return round(x), round(y)

    def write(text: str, x: int, y: int) -> None:
        cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.4, _INK, 1, cv2.LINE_AA)

    for n in range(5):
        loss = low + (high - low) * n / 4
        _, y = place(1, loss)
        cv2.line(canvas, (left, y), (width - right, y), _GRID, 1)
        write(f"{loss:.4f}", 8, y + 4)
    line = [place(step, loss) for step, loss in enumerate(smoothed(losses), 1)]
    for step, loss in enumerate(losses, 1):
        cv2.circle(canvas, place(step, loss), 2, _POINT, -1, cv2.LINE_AA)
    cv2.polylines(canvas, [np.array(line, dtype=np.int32)], False, _LINE, 2, cv2.LINE_AA)
    write(
        f"step {len(losses)} of {steps}, loss {losses[-1]:.4f}, mean {smoothed(losses)[-1]:.4f}",
        left,
        height - 14,
    )
    return torch.from_numpy(canvas)[None].float() / 255.0
