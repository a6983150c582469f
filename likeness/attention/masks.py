"""A picture mask at the resolutions of the network.

Attention: nearest, one value per query token. ControlNet residuals: bilinear, one value per
position. Both as the authors' full pipeline does it. Spec: instantid_arc2face.md 1.3.6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from .calls import Call
from .views import Numbers, Part, View, lines

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
        views: Sequence[View],
        grid: tuple[int, int],
        batch: int,
        like: torch.Tensor,
    ) -> torch.Tensor:
        """The mask on a token grid (h, w) for rows laid out chunk by chunk: [1 or chunks * batch, h * w, 1].

        latent is the whole latent's height and width; each view shows some of it to `batch` rows.
        """
        key = ("tokens", latent, tuple(views), grid, batch, like.device, like.dtype)
        found = self._cache.get(key)
        if found is None:
            resized = self._rows(latent, views, grid, batch, "nearest")
            found = self._kept(key, resized.flatten(1).unsqueeze(-1).to(like.device, like.dtype))
        return found

    def residual(
        self, latent: tuple[int, int], views: Sequence[View], batch: int, like: torch.Tensor
    ) -> torch.Tensor:
        """The mask for a ControlNet residual [rows, C, h, w]: [1 or rows, 1, h, w]."""
        grid = (int(like.shape[-2]), int(like.shape[-1]))
        key = ("residual", latent, tuple(views), grid, batch, like.device, like.dtype)
        found = self._cache.get(key)
        if found is None:
            resized = self._rows(latent, views, grid, batch, "bilinear")
            found = self._kept(key, resized.unsqueeze(1).to(like.device, like.dtype))
        return found

    def _kept(self, key: tuple[object, ...], value: torch.Tensor) -> torch.Tensor:
        if not torch.compiler.is_compiling():  # a graph that fills a cache is not the one that reads it
            self._cache[key] = value
        return value

    def cleanup(self) -> None:
        self._cache.clear()

    def _rows(
        self,
        latent: tuple[int, int],
        views: Sequence[View],
        grid: tuple[int, int],
        batch: int,
        mode: str,
    ) -> torch.Tensor:
        for view in views:
            if self.mask.shape[0] not in (1, view.count(batch)):
                raise ValueError(
                    f"mask holds {self.mask.shape[0]} masks but the batch has {view.count(batch)} pictures: "
                    "give one mask, or one per picture."
                )
        picture = self._at_picture_size(latent)
        distinct = {view.part: _resize(crop(picture, view.part), grid, mode) for view in views}
        if picture.shape[0] == 1:
            found = [distinct[view.part] for view in views]
        else:
            found = [view.pick(distinct[view.part]) for view in views]
        if len(distinct) == 1 and found[0].shape[0] == 1:
            return found[0]
        return torch.cat([part.expand(batch, -1, -1) for part in found])

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


def crop(picture: torch.Tensor, part: Part | None, dim: int = 1) -> torch.Tensor:
    """The pixels of a part of the latent; dim is that of the picture's rows, its columns come next."""
    if part is None:
        return picture
    for number, wanted in enumerate((part.rows, part.columns)):
        picture = lines(picture, _pixels(wanted), dim + number)
    return picture


def _pixels(latent: Numbers) -> Numbers:
    """The pixels of some lines of the latent."""
    if isinstance(latent, range):
        return range(latent.start * PIXELS_PER_LATENT, latent.stop * PIXELS_PER_LATENT)
    return tuple(n * PIXELS_PER_LATENT + pixel for n in latent for pixel in range(PIXELS_PER_LATENT))


def _resize(mask: torch.Tensor, size: tuple[int, int], mode: str) -> torch.Tensor:
    if tuple(mask.shape[1:]) == tuple(size):
        return mask
    return F.interpolate(mask[:, None], size=size, mode=mode)[:, 0]


def token_mask(mask: PictureMask, q: torch.Tensor, call: Call, options: Mapping[str, Any]) -> torch.Tensor:
    """The mask for the queries of a layer: [1 or rows, queries, 1]. ValueError where nobody can know it."""
    call.check_parts("mask")
    grid = (int(options["activations_shape"][-2]), int(options["activations_shape"][-1]))
    if grid[0] * grid[1] != q.shape[1]:
        raise ValueError(
            f"mask: a layer works on {q.shape[1]} tokens of a {grid[1]}x{grid[0]} grid, because another "
            "node merges tokens. Remove that node or the mask."
        )
    height, width = (int(side) for side in options["original_shape"][-2:])
    return mask.tokens(call.latent or (height, width), call.views, grid, q.shape[0] // len(call.views), q)
