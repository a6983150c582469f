"""The formula weights of instantid_arc2face.md part 3, and the reference resampler made of them."""

from __future__ import annotations

import torch


def noise(count: int, place: int) -> torch.Tensor:
    """frac(sin(12.9898 j + 78.233 i + 1) 43758.5453) - 0.5, in float64."""
    j = torch.arange(count, dtype=torch.float64)
    value = torch.sin(12.9898 * j + 78.233 * place + 1) * 43758.5453
    return value - value.floor() - 0.5


def filled(shapes: dict[str, tuple[int, ...]], amp: float) -> dict[str, torch.Tensor]:
    """Tensors numbered in the order of their sorted names; scales of layer norms get 1 added."""
    tensors = {}
    for place, key in enumerate(sorted(shapes)):
        value = (amp * noise(torch.Size(shapes[key]).numel(), place)).float().reshape(shapes[key])
        tensors[key] = value + 1 if len(shapes[key]) == 1 and key.endswith("weight") else value
    return tensors


def inputs(shape: tuple[int, ...], place: int, size: float = 2.0) -> torch.Tensor:
    return (size * noise(torch.Size(shape).numel(), 1000 + place)).float().reshape(shape)


def resampler_shapes() -> dict[str, tuple[int, ...]]:
    """dim 64, depth 2, 4 heads of 16, 4 queries, embedding 32, output 48, ff_mult 4."""
    shapes: dict[str, tuple[int, ...]] = {
        "latents": (1, 4, 64),
        "proj_in.weight": (64, 32),
        "proj_in.bias": (64,),
    }
    shapes |= {
        "proj_out.weight": (48, 64),
        "proj_out.bias": (48,),
        "norm_out.weight": (48,),
        "norm_out.bias": (48,),
    }
    for i in range(2):
        for norm in ("0.norm1", "0.norm2", "1.0"):
            shapes |= {f"layers.{i}.{norm}.weight": (64,), f"layers.{i}.{norm}.bias": (64,)}
        shapes |= {f"layers.{i}.0.to_q.weight": (64, 64), f"layers.{i}.0.to_kv.weight": (128, 64)}
        shapes |= {f"layers.{i}.0.to_out.weight": (64, 64), f"layers.{i}.1.1.weight": (256, 64)}
        shapes[f"layers.{i}.1.3.weight"] = (64, 256)
    return shapes
