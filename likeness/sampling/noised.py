"""The forward process: latents with the noise of a timestep of training."""

from __future__ import annotations

import torch


def noised(
    clean: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor, alphas_cumprod: torch.Tensor
) -> torch.Tensor:
    """sqrt(a) clean + sqrt(1 - a) noise, both [B, C, h, w]; a of each row's timestep [B]."""
    a = alphas_cumprod.to(clean.device)[timesteps.to(clean.device)].reshape(-1, *[1] * (clean.ndim - 1))
    return a.sqrt() * clean + (1 - a).sqrt() * noise
