"""The SD2-inpainting-shaped network: SD1.5's, which also gets a mask and the picture around it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch.nn import functional

from training.chance import generator

from ...networks import layouts
from ..stages import Rooms, Scale, Tensors
from .trunk import TrunkLesson

#: Parts of masks: the whole picture, a face or a head, and a rectangle is the rest.
_WHOLE, _HEADS = 0.15, 0.5
#: Among the labels: all of a head but hat and hair.
_FACE = tuple(range(1, 14))


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> InpaintLesson:
    start = layouts.as_sd2_inpaint(made["sd15"])
    return InpaintLesson("sd2_inpaint", scale, seed, rooms, made["autoencoder"], start, rate=0.004)


class InpaintLesson(TrunkLesson):
    def beside(self, places: torch.Tensor, source: torch.Generator, two: bool) -> torch.Tensor:
        pictures = (self.couples if two else self.pictures).batch(places)
        labels = None if two else np.stack([self.pictures.labels[int(place)] for place in places])
        return self.masked(pictures, masks(pictures, labels, source))

    def beside_unseen(self, pictures: torch.Tensor, source: torch.Generator) -> torch.Tensor:
        return self.masked(pictures, masks(pictures, None, generator("masks")))

    @torch.no_grad()
    def masked(self, pictures: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Mask and masked picture, as the host gives them: grey where something is hidden."""
        latents = self.decoder.encode(pictures * (1 - hidden) + 0.5 * hidden)
        return torch.cat([functional.max_pool2d(hidden, 8), latents], dim=1)


def masks(
    pictures: torch.Tensor,
    labels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None,
    source: torch.Generator,
) -> torch.Tensor:
    """[n, 1, H, W], 1 where hidden, in steps of 8 pixels as latents are."""
    count, height, width = len(pictures), pictures.shape[2] // 8, pictures.shape[3] // 8
    hidden = torch.zeros(count, 1, height, width)
    kinds = torch.rand(count, generator=source)
    corners = torch.rand(count, 2, generator=source)
    spans = 0.25 + 0.5 * torch.rand(count, 2, generator=source)
    for n, kind in enumerate(kinds.tolist()):
        if kind < _WHOLE:
            hidden[n] = 1
        elif kind < _WHOLE + _HEADS and labels is not None:
            face = torch.from_numpy(np.isin(labels[n], _FACE)).float()[None]
            wide = functional.max_pool2d(functional.max_pool2d(face, 8), 3, stride=1, padding=1)
            hidden[n] = wide if corners[n, 0] < 0.5 else functional.max_pool2d(wide, 3, stride=1, padding=1)
        else:
            high, across = (spans[n] * torch.tensor([height, width])).long().tolist()
            top = int(corners[n, 0] * (height - high))
            left = int(corners[n, 1] * (width - across))
            hidden[n, :, top : top + high, left : left + across] = 1
    return functional.interpolate(hidden, size=(8 * height, 8 * width), mode="nearest")
