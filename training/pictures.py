"""Reading pictures; what can't be learnt from is refused with its file's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from likeness.faces.pictures import BadPicture, open_picture, picture_size

__all__ = ["BadPicture", "mark", "pictures_in", "read_mask", "read_square"]

KINDS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def read_square(path: Path, side: int, smallest: int = 1) -> torch.Tensor:
    """A square picture as [3, side, side] float32, RGB from 0 to 1, resized if need be.

    smallest: pixels of a side that it must have. Raises BadPicture.
    """
    width, height = picture_size(path)
    if width != height:
        raise BadPicture(
            f"{path} is {width}x{height}, not square: align and crop it as the pictures of FFHQ are."
        )
    if width < smallest:
        raise BadPicture(f"{path} is {width}x{height}: a side needs at least {smallest} pixels.")
    planes = _planes(open_picture(path))
    if planes.shape[-1] == side:
        return planes
    return F.interpolate(planes[None], (side, side), mode="bilinear", antialias=True)[0].clamp(0, 1)


def read_mask(path: Path, side: int) -> torch.Tensor:
    """A mask as [side, side], 1 where it is white, resized to the nearest pixel. Raises BadPicture."""
    planes = _planes(open_picture(path, "L"))
    return (F.interpolate(planes[None], (side, side), mode="nearest")[0, 0] >= 0.5).float()


def mark(path: Path) -> str:
    """Another text when the file changes. Raises BadPicture when it is not there."""
    try:
        facts = path.stat()
    except OSError as error:
        raise BadPicture(f"{path} can't be read: {error}") from error
    return f"{facts.st_size}|{facts.st_mtime_ns}"


def pictures_in(folder: Path) -> list[Path]:
    """The picture files of a folder, by name. Folders inside are not looked into."""
    found = (path for path in folder.iterdir() if path.suffix.lower() in KINDS and path.is_file())
    return sorted(path for path in found if not path.name.startswith("."))


def _planes(image: Any) -> torch.Tensor:
    import numpy

    planes = torch.from_numpy(numpy.array(image)).float() / 255
    return planes[None] if planes.ndim == 2 else planes.movedim(-1, 0)
