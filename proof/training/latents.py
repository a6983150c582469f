"""An album's latents, made once for each autoencoder and kept in the cache."""

from __future__ import annotations

from pathlib import Path

import torch

from ..networks.autoencoder import Autoencoder
from .kept import kept
from .pictures import Album, Couples


@torch.no_grad()
def latents_of(pictures: Album | Couples, network: Autoencoder, cache: Path, name: str) -> torch.Tensor:
    """float32 [n, 4, 16, 16]; twice as wide for couples."""

    def make() -> torch.Tensor:
        places = torch.arange(len(pictures)).split(32)
        return torch.cat([network.encode(pictures.batch(some)) for some in places])

    return kept(cache, "latents", f"{name}-{len(pictures)}", make, network.state_dict().values())
