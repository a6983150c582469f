"""A VAE that decodes to what a test tells it, so that a tiny network's noise becomes a photo."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch


class ToldVAE:
    """encode gives empty latents of SDXL; decode the pictures [B, H, W, 3] it was told, in turn."""

    def __init__(self, pictures: Sequence[torch.Tensor]) -> None:
        self.pictures = pictures
        self.seen: list[torch.Tensor] = []
        self.before_decoding: Callable[[int], None] = lambda number: None

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(images), 4, images.shape[1] // 8, images.shape[2] // 8)

    def decode(self, samples: torch.Tensor) -> torch.Tensor:
        self.before_decoding(len(self.seen))
        picture = self.pictures[len(self.seen) % len(self.pictures)]
        self.seen.append(samples.clone())
        return picture
