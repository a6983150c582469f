"""The noise of SD1.5's networks, and plain DDIM to look at one while it learns; reports use the host's."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch

STEPS = 1000


def kept() -> torch.Tensor:
    """[1000]: how much of a picture's variance is left after so many steps, as in the host."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, STEPS, dtype=torch.float64).square()
    return (1 - betas).cumprod(0).float()


def noised(latents: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
    part = kept()[times].reshape(-1, 1, 1, 1)
    return part.sqrt() * latents + (1 - part).sqrt() * noise


def weights(times: torch.Tensor, most: float = 5.0) -> torch.Tensor:
    """Of the error of predicted noise: min-SNR, so that nearly clean pictures don't take all the learning."""
    part = kept()[times]
    signal = part / (1 - part)
    return signal.clamp(max=most) / signal


@torch.no_grad()
def ddim(
    predict: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], noise: torch.Tensor, steps: int = 16
) -> torch.Tensor:
    """predict(latents, times [n]) -> the noise in them."""
    parts = kept()
    times = torch.linspace(STEPS - 1, 0, steps + 1).round().long().tolist()
    latents = noise
    for here, there in pairwise(times):
        found = predict(latents, torch.full((len(latents),), here))
        now, then = parts[here], parts[there]
        clean = (latents - (1 - now).sqrt() * found) / now.sqrt()
        latents = then.sqrt() * clean + (1 - then).sqrt() * found
    return latents
