"""Who an album's pictures show, as the recogniser says it: made once and kept in the cache."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from training.chance import number

from ..networks import recognisers
from ..networks.crops import RECOGNISED, batch, crop, jitter
from ..networks.onnx_recogniser import LENGTH
from .kept import kept
from .pictures import Album


@torch.no_grad()
def vectors_of(
    pictures: Album, recogniser: Mapping[str, torch.Tensor], cache: Path, name: str
) -> torch.Tensor:
    """float32 [n, 512] of LENGTH, as our nodes have them, by points a little off, as a detector's are."""
    network = recognisers.load(recogniser)

    def make() -> torch.Tensor:
        parts = []
        for places in torch.arange(len(pictures)).split(64):
            crops = []
            for place in places.tolist():
                chance = np.random.default_rng(number("seen points", place))
                points = jitter(np.asarray(pictures.points[place]), chance)
                crops.append(crop(pictures.pictures[place], points, RECOGNISED))
            parts.append(network(batch(crops)))
        return LENGTH * torch.cat(parts)

    return kept(cache, "vectors", f"{name}-{len(pictures)}", make, recogniser.values())
