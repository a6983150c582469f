"""Who an album's pictures show, as the recogniser says it: made once and kept in the cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from training.chance import number

from ..networks import recognisers
from ..networks.crops import RECOGNISED, batch, crop, jitter
from ..networks.onnx_recogniser import LENGTH
from .pictures import Album, world


@torch.no_grad()
def vectors_of(
    pictures: Album, recogniser: Mapping[str, torch.Tensor], cache: Path, name: str
) -> torch.Tensor:
    """float32 [n, 512] of LENGTH, as our nodes have them, by points a little off, as a detector's are."""
    digest = hashlib.sha256()
    for tensor in recogniser.values():
        digest.update(tensor.contiguous().numpy().tobytes())
    file = cache / "vectors" / f"{name}-{len(pictures)}-{world()}-{digest.hexdigest()[:16]}.pt"
    if file.is_file():
        known: torch.Tensor = torch.load(file, weights_only=True)
        return known
    network = recognisers.load(recogniser)
    parts = []
    for places in torch.arange(len(pictures)).split(64):
        crops = []
        for place in places.tolist():
            chance = np.random.default_rng(number("seen points", place))
            points = jitter(np.asarray(pictures.points[place]), chance)
            crops.append(crop(pictures.pictures[place], points, RECOGNISED))
        parts.append(network(batch(crops)))
    made = LENGTH * torch.cat(parts)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    torch.save(made, part)
    os.replace(part, file)
    return made
