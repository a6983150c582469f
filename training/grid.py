"""Pictures side by side in one file: what the network draws while it learns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F

from likeness.weights.write import written

_GAP = 4


def write_grid(rows: Sequence[Sequence[torch.Tensor]], path: Path, side: int = 256) -> None:
    """Rows of pictures [3, H, W], RGB from 0 to 1, as one PNG of squares; shorter rows end in white."""
    from PIL import Image

    columns = max(map(len, rows))
    step = side + _GAP
    sheet = torch.ones(3, len(rows) * step - _GAP, columns * step - _GAP)
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            small = picture.detach().float().cpu()[None]
            small = F.interpolate(small, (side, side), mode="bilinear", antialias=True)[0]
            sheet[:, y * step : y * step + side, x * step : x * step + side] = small.clamp(0, 1)
    pixels = (sheet * 255).round().to(torch.uint8).movedim(0, -1).contiguous().numpy()
    with written(path) as unfinished:
        Image.fromarray(pixels).save(unfinished, format="PNG")
