"""An album's latents, made once for each autoencoder and kept in the cache."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch

from ..networks.autoencoder import Autoencoder
from .pictures import Album, Couples, world


@torch.no_grad()
def latents_of(pictures: Album | Couples, network: Autoencoder, cache: Path, name: str) -> torch.Tensor:
    """float32 [n, 4, 16, 16]; twice as wide for couples."""
    digest = hashlib.sha256()
    for tensor in network.state_dict().values():
        digest.update(tensor.numpy().tobytes())
    file = cache / "latents" / f"{name}-{len(pictures)}-{world()}-{digest.hexdigest()[:16]}.pt"
    if file.is_file():
        known: torch.Tensor = torch.load(file, weights_only=True)
        return known
    parts = [network.encode(pictures.batch(places)) for places in torch.arange(len(pictures)).split(32)]
    made = torch.cat(parts)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    torch.save(made, part)
    os.replace(part, file)
    return made
