"""A step's pictures with their noise, and what an answer to them costs."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..networks import diffusion


@dataclass(frozen=True, eq=False)
class Batch:
    """places: in the album. weights [n, 1, 16, 16] of the loss, 1 in the mean of each picture, or
    [n, 1, 1, 1]. vectors [n, 512]: of another picture of the person, zeros for nobody; [n, 0] where nobody
    is told who it is."""

    places: torch.Tensor
    latents: torch.Tensor
    noise: torch.Tensor
    times: torch.Tensor
    weights: torch.Tensor
    captions: list[str]
    vectors: torch.Tensor

    @property
    def noisy(self) -> torch.Tensor:
        return diffusion.noised(self.latents, self.noise, self.times)

    def loss(self, found: torch.Tensor, usual: float = diffusion.USUAL) -> torch.Tensor:
        """Of the noise that was found in it, weighed by diffusion.weights around the usual level."""
        error = (self.weights * (found - self.noise).square()).mean((1, 2, 3))
        return (diffusion.weights(self.times, usual) * error).mean()


def between(low: float, high: float, source: torch.Generator) -> float:
    """Any number from low to high, each as likely."""
    return low + (high - low) * float(torch.rand((), generator=source))


def spread_times(count: int, source: torch.Generator) -> torch.Tensor:
    """int64 [count], spread evenly: every batch has its share of each."""
    even = (torch.arange(count) + torch.rand(count, generator=source)) / count
    return (even * diffusion.STEPS).long().clamp(max=diffusion.STEPS - 1)
