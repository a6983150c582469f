"""A tiny MasterWeaver file for the tiny SD1.5 and the tiny CLIP vision model, in the published layout."""

from __future__ import annotations

import torch

from .clip_vision import WIDTH as VISION
from .networks import CHANNELS, UNETS

INNER = 128  # two heads of 64
SITES = 16
Shapes = dict[str, tuple[int, ...]]


def adapter(seed: int) -> dict[str, torch.Tensor]:
    """Flat, with the names that the published file nests."""
    width = UNETS["sd15"]["context_dim"]
    shapes = {f"id_encoder.{name}": shape for name, shape in _encoder(width).items()}
    for site in range(SITES):
        for half in "kv":
            shapes[f"adapter_modules.{2 * site + 1}.to_{half}_img.weight"] = (CHANNELS, width)
    generator = torch.Generator().manual_seed(seed)

    def value(name: str, shape: tuple[int, ...]) -> torch.Tensor:
        if len(shape) == 1:
            return torch.ones(shape) if name.endswith("weight") else torch.zeros(shape)
        return torch.randn(shape, generator=generator) * shape[-1] ** -0.5

    return {name: value(name, shape) for name, shape in shapes.items()}


def _encoder(width: int) -> Shapes:
    shapes: Shapes = {"latents": (1, 16, width), "proj_in.weight": (width, VISION), "proj_in.bias": (width,)}
    shapes |= {"proj_out.weight": (width, width), "proj_out.bias": (width,)}
    norms = ("layers.0.0.norm1", "layers.0.0.norm2", "layers.0.1.0", "final_attn.norm1", "final_attn.norm2")
    for name in ("norm_out", *norms):
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    for name in ("layers.0.0", "final_attn"):
        shapes |= {f"{name}.to_q.weight": (INNER, width), f"{name}.to_kv.weight": (2 * INNER, width)}
        shapes[f"{name}.to_out.weight"] = (width, INNER)
    return shapes | {"layers.0.1.1.weight": (4 * width, width), "layers.0.1.3.weight": (width, 4 * width)}
