"""An attribute mask as a choice of foundation tokens. Spec: pva_freecure_emojidiff.md B.2, mask path."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...attention.masks import PIXELS_PER_LATENT, PictureMask


@dataclass(frozen=True, eq=False)
class Chosen:
    """The tokens of one grid: mask [M, tokens] bool, and the same as numbers [M, most], M masks.

    there [M, most] is False where a mask has fewer tokens than the one with the most; None when all
    have as many. blank [M]: masks without a single pixel; None when there is none.
    """

    mask: Tensor
    numbers: Tensor
    there: Tensor | None
    blank: Tensor | None

    def gather(self, x: Tensor) -> Tensor:
        """The chosen tokens of x [rows, (heads,) tokens, C]: [rows, (heads,) most, C], a copy."""
        if len(self.numbers) == 1:
            return x.index_select(-2, self.numbers[0])
        return torch.take_along_dim(x, per_token(self.numbers, x), dim=-2)


def per_token(x: Tensor, like: Tensor) -> Tensor:
    """[M, tokens] beside tokens [rows, (heads,) tokens, C]."""
    return x.reshape(len(x), *[1] * (like.ndim - 3), -1, 1)


class AttributeMask:
    """Where the foundation's attributes are taken from: [M, H, W], in the picture's shape.

    M is one, or the number of pictures in the batch; a pixel counts when it is above one half.
    """

    def __init__(self, mask: Tensor) -> None:
        """Raises ValueError for a mask of another rank, with NaN, or with no pixels."""
        self._mask = PictureMask(mask).mask
        self._blank = ~(self._mask > 0.5).flatten(1).any(dim=1)
        self._chosen: dict[tuple[object, ...], Chosen] = {}

    def __len__(self) -> int:
        return len(self._mask)

    @property
    def empty(self) -> bool:
        return bool(self._blank.all())

    @property
    def some_blank(self) -> bool:
        """Whether a picture has nothing to be repaired."""
        return bool(self._blank.any())

    def choose(self, latent: tuple[int, int], grid: tuple[int, int], rows: int, like: Tensor) -> Chosen:
        """The tokens of a layer's grid (h, w); latent is the latent's height and width.

        Nearest to the latent's size, then nearest to the grid, row by row. Raises ValueError when the
        mask has another shape than the picture, or the batch has another number of pictures.
        """
        self.check(latent, rows)
        key = (latent, grid, like.device)
        if key not in self._chosen:
            self._chosen[key] = self._choose(latent, grid, like.device)
        return self._chosen[key]

    def cleanup(self) -> None:
        self._chosen.clear()

    def _choose(self, latent: tuple[int, int], grid: tuple[int, int], device: torch.device) -> Chosen:
        small = F.interpolate(self._mask[:, None], size=latent, mode="nearest")
        mask = F.interpolate(small, size=grid, mode="nearest").flatten(1) > 0.5
        counts = mask.sum(dim=1, keepdim=True)
        most = int(counts.max())
        numbers = mask.int().argsort(dim=1, descending=True, stable=True)[:, :most]
        there = torch.arange(most) < counts
        fewer = None if bool(there.all()) else there.to(device)
        blank = self._blank.to(device) if self.some_blank else None
        return Chosen(mask.to(device), numbers.to(device), fewer, blank)

    def check(self, latent: tuple[int, int], rows: int) -> None:
        """Raises ValueError unless the mask fits a batch of `rows` latents of this height and width."""
        count = len(self._mask)
        if count not in (1, rows):
            raise ValueError(
                f"mask holds {count} masks but the batch has {rows} pictures: give one mask, or one per "
                "picture."
            )
        height, width = (side * PIXELS_PER_LATENT for side in latent)
        h, w = self._mask.shape[1:]
        if abs(w * height - h * width) > PIXELS_PER_LATENT * max(w, h):
            raise ValueError(
                f"mask is {w}x{h} but the picture is {width}x{height}, another shape: draw the mask on the "
                "picture, or crop or pad it to the picture's shape."
            )
