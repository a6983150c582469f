"""The noise of SD1.5's networks, and plain DDIM to look at one while it learns; reports use the host's."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

import torch

STEPS = 1000
#: Logarithm of the level of noise where most is to be learnt, latents having unit deviation; and its spread.
USUAL, _SPREAD = -0.5, 1.2


def kept() -> torch.Tensor:
    """[1000]: how much of a picture's variance is left after so many steps, as in the host."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, STEPS, dtype=torch.float64).square()
    return (1 - betas).cumprod(0).float()


def noised(latents: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
    part = kept()[times].reshape(-1, 1, 1, 1)
    return part.sqrt() * latents + (1 - part).sqrt() * noise


def weights(times: torch.Tensor, usual: float = USUAL) -> torch.Tensor:
    """Of the error of predicted noise, 1 on average: as Karras et al. weigh and draw their levels of noise.

    Errors of noise alone are smallest where a picture's colours and layout are decided, so that these were
    learnt last: backgrounds of a wrong colour after 700 steps.
    """
    found: torch.Tensor = _weights(usual)[times]
    return found


@lru_cache(maxsize=2)
def _weights(usual: float) -> torch.Tensor:
    part = kept()
    level = ((1 - part) / part).sqrt()
    often = (-(level.log() - usual).square() / (2 * _SPREAD**2)).exp()
    whole = (1 + level.square()) * often
    return whole / whole.mean()


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
