"""What PVA's face encoder sees of drawn people: the middle of FFHQ's square, by the five points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from likeness.faces.ffhq import align_ffhq
from likeness.faces.references import REFERENCE, face_crop
from training.chance import number

from ..networks.crops import jitter
from .kept import kept
from .pictures import Album


def crop_of(picture: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """[H, W, 3] 0..1 -> [3, 112, 112] -1..1, as our node cuts it out."""
    aligned = align_ffhq(picture, points, REFERENCE)
    return face_crop(2 * aligned.movedim(-1, 0)[None] - 1)[0]


@torch.no_grad()
def crops_of(pictures: Album, count: int, cache: Path, name: str) -> torch.Tensor:
    """uint8 [count, 3, 56, 56]: of the first pictures, at half the size they are used in."""

    def make() -> torch.Tensor:
        made = torch.zeros(count, 3, 56, 56, dtype=torch.uint8)
        for place in range(count):
            chance = np.random.default_rng(number("aligned", place))
            points = torch.from_numpy(jitter(np.asarray(pictures.points[place]), chance))
            cut = crop_of(torch.from_numpy(pictures.pictures[place].astype(np.float32) / 255), points)
            half = functional.avg_pool2d(cut[None], 2)[0]
            made[place] = ((half / 2 + 0.5) * 255).round().clamp(0, 255).byte()
        return made

    return kept(cache, "aligned", f"{name}-{count}", make)


def shown(crops: torch.Tensor) -> torch.Tensor:
    """[n, 3, 112, 112] -1..1."""
    return functional.interpolate(crops.float() / 127.5 - 1, size=(112, 112), mode="bilinear")
