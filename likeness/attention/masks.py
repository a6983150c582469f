"""A picture mask at the resolutions of the network.

Attention: nearest, one value per query token. ControlNet residuals: bilinear, one value per
position. Both as the authors' full pipeline does it. Spec: instantid_arc2face.md 1.3.6.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

#: A part of the latent: height, width, top, left, in latent pixels (the host's order).
Area = tuple[int, int, int, int]

PIXELS_PER_LATENT = 8


class PictureMask:
    """Where an identity applies: [N, H, W], 0 to 1, in any resolution of the picture's shape.

    N is one, or the number of pictures in the batch. A mask of another shape is refused, unless stretch
    says to pull it over the picture. Resized masks are kept for the time of one sampling run, so that a
    grid costs one resize, not one per layer and step.
    """

    def __init__(self, mask: torch.Tensor, stretch: bool = False) -> None:
        """Raises ValueError for a mask of another rank, with NaN, or with no pixels."""
        mask = torch.as_tensor(mask).detach().to("cpu", torch.float32)
        if mask.ndim == 2:
            mask = mask[None]
        if mask.ndim != 3 or mask.numel() == 0:
            raise ValueError(f"mask must be [B, H, W], not {list(mask.shape)}.")
        if not torch.isfinite(mask).all():
            raise ValueError("mask holds NaN or infinity.")
        self.mask = mask.clamp(0, 1)
        self._stretch = stretch
        self._cache: dict[tuple[object, ...], torch.Tensor] = {}

    @property
    def empty(self) -> bool:
        return not bool(self.mask.any())

    def tokens(
        self,
        latent: tuple[int, int],
        areas: Sequence[Area | None],
        grid: tuple[int, int],
        batch: int,
        like: torch.Tensor,
    ) -> torch.Tensor:
        """The mask on a token grid (h, w) for rows laid out chunk by chunk: [1 or chunks * batch, h * w, 1].

        latent is the whole latent's height and width, areas the part each chunk of rows shows.
        """
        key = ("tokens", latent, tuple(areas), grid, batch, like.device, like.dtype)
        if key not in self._cache:
            resized = self._rows(latent, areas, grid, batch, "nearest")
            self._cache[key] = resized.flatten(1).unsqueeze(-1).to(like.device, like.dtype)
        return self._cache[key]

    def residual(
        self, latent: tuple[int, int], areas: Sequence[Area | None], batch: int, like: torch.Tensor
    ) -> torch.Tensor:
        """The mask for a ControlNet residual [rows, C, h, w]: [1 or rows, 1, h, w]."""
        grid = (int(like.shape[-2]), int(like.shape[-1]))
        key = ("residual", latent, tuple(areas), grid, batch, like.device, like.dtype)
        if key not in self._cache:
            resized = self._rows(latent, areas, grid, batch, "bilinear")
            self._cache[key] = resized.unsqueeze(1).to(like.device, like.dtype)
        return self._cache[key]

    def cleanup(self) -> None:
        self._cache.clear()

    def _rows(
        self,
        latent: tuple[int, int],
        areas: Sequence[Area | None],
        grid: tuple[int, int],
        batch: int,
        mode: str,
    ) -> torch.Tensor:
        if self.mask.shape[0] not in (1, batch):
            raise ValueError(
                f"mask holds {self.mask.shape[0]} masks but the batch has {batch} pictures: "
                "give one mask, or one per picture."
            )
        picture = self._at_picture_size(latent)
        distinct = {area: _resize(_crop(picture, area), grid, mode) for area in set(areas)}
        if len(distinct) == 1 and picture.shape[0] == 1:
            return distinct[areas[0]]
        return torch.cat([distinct[area].expand(batch, -1, -1) for area in areas])

    def _at_picture_size(self, latent: tuple[int, int]) -> torch.Tensor:
        height, width = (side * PIXELS_PER_LATENT for side in latent)
        h, w = self.mask.shape[1:]
        another = abs(w * height - h * width) > max(w * PIXELS_PER_LATENT, h * PIXELS_PER_LATENT)
        if another and not self._stretch:
            raise ValueError(
                f"mask is {w}x{h} but the picture is {width}x{height}, another shape: "
                "draw the mask on the picture, or crop or pad it to the picture's shape."
            )
        return _resize(self.mask, (height, width), "bilinear")


def _crop(picture: torch.Tensor, area: Area | None) -> torch.Tensor:
    if area is None:
        return picture
    height, width, top, left = (side * PIXELS_PER_LATENT for side in area)
    return picture[:, top : top + height, left : left + width]


def _resize(mask: torch.Tensor, size: tuple[int, int], mode: str) -> torch.Tensor:
    if tuple(mask.shape[1:]) == tuple(size):
        return mask
    return F.interpolate(mask[:, None], size=size, mode=mode)[:, 0]
