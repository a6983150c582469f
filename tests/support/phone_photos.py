"""Pictures as phones write them: as the sensor lay, with a note in the EXIF data how to turn them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

_ORIENTATION = 0x0112
#: How the sensor's picture comes out of the upright one, for each of the eight values.
STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: np.rot90(p, 1),
    7: lambda p: np.rot90(p, 2).swapaxes(0, 1),
    8: lambda p: np.rot90(p, -1),
}


def write_phone_photo(path: Path, upright: np.ndarray, orientation: int) -> Path:
    """What a camera writes that was held so."""
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    Image.fromarray(np.ascontiguousarray(STORED[orientation](upright))).save(path, exif=exif)
    return path
