"""A tiny InstantID adapter in the official flat layout, for the tiny SDXL network."""

from __future__ import annotations

import torch

EMBEDDING = 512
WIDTH = 128  # of the resampler
DEPTH = 2
HEADS = 2
HEAD_WIDTH = 64
TOKENS = 16
GROWTH = 4  # of the feed-forward layers
SITES = 70
HIDDEN = 32  # of every attention site of the tiny network
CONTEXT = 128  # width of the text tokens

#: The real adapter listens to glintr100; the embedded face pack can only speak SFace.
METADATA = {"recogniser": "sface"}


def instantid(seed: int) -> dict[str, torch.Tensor]:
    """All tensors: `image_proj.*` (resampler) and `ip_adapter.{n}.to_[kv]_ip.weight`, n odd from 1 to 139."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {**_resampler(), **_sites()}
    return {name: _values(name, shape, generator) for name, shape in shapes.items()}


def _values(name: str, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    if len(shape) == 1:
        return torch.ones(shape) if name.endswith("weight") else torch.zeros(shape)
    return torch.randn(shape, generator=generator) * shape[-1] ** -0.5


def _resampler() -> dict[str, tuple[int, ...]]:
    inner = HEADS * HEAD_WIDTH
    shapes: dict[str, tuple[int, ...]] = {
        "latents": (1, TOKENS, WIDTH),
        "proj_in.weight": (WIDTH, EMBEDDING),
        "proj_in.bias": (WIDTH,),
        "proj_out.weight": (CONTEXT, WIDTH),
        "proj_out.bias": (CONTEXT,),
        "norm_out.weight": (CONTEXT,),
        "norm_out.bias": (CONTEXT,),
    }
    for i in range(DEPTH):
        for norm in (f"layers.{i}.0.norm1", f"layers.{i}.0.norm2", f"layers.{i}.1.0"):
            shapes |= {f"{norm}.weight": (WIDTH,), f"{norm}.bias": (WIDTH,)}
        shapes[f"layers.{i}.0.to_q.weight"] = (inner, WIDTH)
        shapes[f"layers.{i}.0.to_kv.weight"] = (2 * inner, WIDTH)
        shapes[f"layers.{i}.0.to_out.weight"] = (WIDTH, inner)
        shapes[f"layers.{i}.1.1.weight"] = (GROWTH * WIDTH, WIDTH)
        shapes[f"layers.{i}.1.3.weight"] = (WIDTH, GROWTH * WIDTH)
    return {f"image_proj.{name}": shape for name, shape in shapes.items()}


def _sites() -> dict[str, tuple[int, ...]]:
    return {
        f"ip_adapter.{2 * site + 1}.to_{half}_ip.weight": (HIDDEN, CONTEXT)
        for site in range(SITES)
        for half in "kv"
    }
