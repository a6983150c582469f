"""Pictures through the autoencoder, among true ones: what judges and parsers see is decoded."""

from __future__ import annotations

import torch

from ..networks.autoencoder import Autoencoder
from .pictures import Album

#: Of a batch.
_PART = 3


@torch.no_grad()
def decoded(decoder: Autoencoder, pictures: Album, places: torch.Tensor) -> torch.Tensor:
    """uint8 [n, 3, H, W]: pictures through the autoencoder."""
    parts = [decoder.decode(decoder.encode(pictures.batch(some))) for some in places.split(16)]
    return (torch.cat(parts).clamp(0, 1) * 255).round().byte()


def mixed(
    pictures: Album, first: torch.Tensor, count: int, source: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Places [count] in the album and their pictures [count, 3, H, W] 0..1, a third of them decoded. first:
    the album's first pictures, decoded."""
    places = torch.randint(len(pictures), (count,), generator=source)
    shown = pictures.batch(places)
    part = count // _PART
    places[:part] %= len(first)
    shown[:part] = first[places[:part]].float() / 255
    return places, shown
