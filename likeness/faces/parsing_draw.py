"""Showing what a face parser saw: colours over the picture, and a legend beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .labels import BACKGROUND, NAMES
from .parsing import present

#: One colour for each class, 8-bit RGB; neighbours on a face differ in hue. The background has none.
COLOURS = (
    *((0, 0, 0), (232, 176, 140), (150, 75, 0), (205, 133, 63), (0, 200, 255), (0, 90, 255)),
    *((255, 255, 0), (255, 105, 180), (199, 21, 133), (255, 255, 255), (0, 170, 60), (120, 0, 0)),
    *(
        (255, 40, 40),
        (255, 120, 0),
        (160, 160, 80),
        (0, 255, 200),
        (70, 70, 200),
        (150, 0, 220),
        (130, 255, 0),
    ),
)
_STRENGTH = 0.55
_CHOSEN, _OTHER = (255, 255, 255), (140, 140, 140)


def draw_parsed(images: torch.Tensor, parsed: torch.Tensor, classes: Sequence[int]) -> torch.Tensor:
    """Pictures [B, H, W, C] tinted by class, with a legend at their right -> [B, H', W', 3] float32, CPU.

    The picture stays at the left top in its size; only small pictures get rows below, for the legend's sake.
    Where two faces disagree the higher class is shown. The legend names what is in any picture of the batch,
    and `classes` (chosen: white) also when they are in none.
    """
    tinted = _tint(images, parsed)
    legend = torch.from_numpy(_legend(present(parsed), classes, int(images.shape[1]))).to(torch.float32) / 255
    height, width = tinted.shape[1:3]
    drawn = torch.zeros(len(tinted), max(height, len(legend)), width + legend.shape[1], 3)
    drawn[:, :height, :width] = tinted
    drawn[:, : len(legend), width:] = legend
    return drawn


def _tint(images: torch.Tensor, parsed: torch.Tensor) -> torch.Tensor:
    rgb = images[..., :3].to("cpu", torch.float32)
    rgb = rgb.expand(-1, -1, -1, 3) if rgb.shape[-1] == 1 else rgb
    number = torch.zeros_like(parsed, dtype=torch.long)
    for shown in present(parsed):
        number[(parsed & (1 << shown)) != 0] = shown
    colour = (torch.tensor(COLOURS, dtype=torch.float32) / 255)[number]
    return torch.where((number != BACKGROUND)[..., None], rgb.lerp(colour, _STRENGTH), rgb)


def _legend(there: Sequence[int], classes: Sequence[int], height: int) -> Any:
    """The legend [H', W', 3] uint8: as wide for every content, so that batches of a size keep theirs."""
    import cv2
    import numpy as np

    row = min(36, max(14, height // (len(NAMES) + 1)))
    scale, rows = row / 36, sorted({*there, *classes})
    longest = max(
        cv2.getTextSize(f"{name}: none", cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0] for name in NAMES
    )
    legend = np.zeros((max(1, len(rows)) * row, longest + 2 * row, 3), dtype=np.uint8)
    for place, number in enumerate(rows):
        top = place * row
        cv2.rectangle(legend, (row // 4, top + row // 4), (row, top + row - row // 4), COLOURS[number], -1)
        absent = number not in there and number != BACKGROUND
        text, ink = NAMES[number] + (": none" if absent else ""), _CHOSEN if number in classes else _OTHER
        at = (row + row // 2, top + row - row // 3)
        cv2.putText(legend, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, 1, cv2.LINE_AA)
    return legend
