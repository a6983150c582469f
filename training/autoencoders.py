"""What trainers ask of an autoencoder: diffusers' AutoencoderKL, or AutoencoderTiny, which has no chance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_TINY = "AutoencoderTiny"


def encode(vae: Any, pictures: Tensor, source: torch.Generator | None = None) -> Tensor:
    """Latents of pictures [n, 3, H, W] from -1 to 1, scaled as the U-Net takes them.

    vae: has `encode`, whose result has a `latent_dist` or `latents`, and `config.scaling_factor`. source:
    what a posterior is drawn with; None takes its mode.
    """
    coded = vae.encode(pictures)
    posterior = getattr(coded, "latent_dist", None)
    if posterior is None:
        latents = coded.latents
    elif source is None:
        latents = posterior.mode()
    else:
        noise = torch.randn(posterior.mean.shape, generator=source).to(posterior.mean)
        latents = posterior.mean + posterior.std * noise
    scaled: Tensor = latents * vae.config.scaling_factor
    return scaled


def class_in(folder: Path) -> Any:
    """diffusers' class of the autoencoder in a model's folder `vae`: AutoencoderKL unless it says Tiny."""
    import diffusers

    file = folder / "vae" / "config.json"
    named = json.loads(file.read_text(encoding="utf-8")).get("_class_name") if file.is_file() else None
    return diffusers.AutoencoderTiny if named == _TINY else diffusers.AutoencoderKL
