"""From photos to codes."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ...choices.wplus import COMBINE, MEAN
from .value import WPlus, doubt


def encode(
    encoder: Callable[[torch.Tensor], torch.Tensor], pictures: torch.Tensor, combine: str = MEAN
) -> WPlus:
    """The code of prepared pictures [n, 3, 256, 256]: of several their mean, or one for each.

    Raises ValueError for another `combine`.
    """
    if combine not in COMBINE:
        raise ValueError(f"combine must be one of {', '.join(COMBINE)}, not {combine!r}.")
    codes = encoder(pictures)
    if combine == MEAN:
        codes = codes.mean(dim=0, keepdim=True)
    name = getattr(encoder, "name", "an encoder")
    doubt(codes, f"The code that {name} made")
    return WPlus(codes, f"{name}, {len(pictures)} photos")
