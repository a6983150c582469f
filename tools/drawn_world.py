"""Pictures that the report keeps of one person of the drawn world, for frames that only networks can fill.

Where nothing was trained yet they are missing, and the frame stays empty.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

FOLDER = Path(__file__).parents[1] / "docs" / "proof" / "shown"
#: Where `thumbnail_card.around_face` cuts, of a picture of 512: a whole portrait stands there.
_SIDE, _TOP, _LEFT, _WHOLE = 280, 20, 84, 512
#: Where thumbnails cut the photo when it is mirrored.
MIRRORED = 148


def result(row: str, number: int, folder: Path = FOLDER) -> torch.Tensor | None:
    """IMAGE of what a row of the report drew for the demo's wish of this number, if it is there."""
    file = folder / f"{row}_{number}.jpg"
    return _image(file) if file.is_file() else None


def of_person(
    photo: torch.Tensor, row: str, number: int = 0, folder: Path = FOLDER
) -> tuple[torch.Tensor | None, torch.Tensor]:
    """The same, and the picture that the rest of the thumbnail is made of: the person's, or the photo."""
    drawn = result(row, number, folder)
    return drawn, instead(drawn, "person", photo, folder=folder)


def instead(
    drawn: torch.Tensor | None, name: str, photo: torch.Tensor, left: int = _LEFT, folder: Path = FOLDER
) -> torch.Tensor:
    """The photo, or when something was drawn the portrait it was drawn from, [1, 512, 512, 3]: `left` from
    the left, and around it its edge goes on, as a wall does."""
    if drawn is None:
        return photo
    small = _image(folder / f"{name}.jpg").movedim(-1, 1)
    large = F.interpolate(small, size=(_SIDE, _SIDE), mode="bicubic", antialias=True).clamp(0, 1)
    around = (left, _WHOLE - left - _SIDE, _TOP, _WHOLE - _TOP - _SIDE)
    return F.pad(large, around, mode="replicate").movedim(1, -1)


def _image(file: Path) -> torch.Tensor:
    return torch.from_numpy(np.array(Image.open(file).convert("RGB")))[None].float() / 255
