"""InstantID adapter files with deterministic weights, in the published key layout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from .fill import fill


def image_proj_shapes(resampler: Mapping[str, int], token_width: int) -> dict[str, tuple[int, ...]]:
    dim, inner, wide = (
        resampler["dim"],
        resampler["dim_head"] * resampler["heads"],
        resampler["dim"] * resampler["ff_mult"],
    )
    shapes: dict[str, tuple[int, ...]] = {
        "latents": (1, resampler["tokens"], dim),
        "proj_in.weight": (dim, 512),
        "proj_in.bias": (dim,),
        "proj_out.weight": (token_width, dim),
        "proj_out.bias": (token_width,),
        "norm_out.weight": (token_width,),
        "norm_out.bias": (token_width,),
    }
    for i in range(resampler["depth"]):
        for norm in ("0.norm1", "0.norm2", "1.0"):
            shapes |= {f"layers.{i}.{norm}.weight": (dim,), f"layers.{i}.{norm}.bias": (dim,)}
        shapes |= {
            f"layers.{i}.0.to_q.weight": (inner, dim),
            f"layers.{i}.0.to_kv.weight": (2 * inner, dim),
            f"layers.{i}.0.to_out.weight": (dim, inner),
            f"layers.{i}.1.1.weight": (wide, dim),
            f"layers.{i}.1.3.weight": (dim, wide),
        }
    return shapes


SMALL = {"dim": 32, "depth": 1, "heads": 2, "tokens": 16, "dim_head": 16, "ff_mult": 2}


def adapter(
    hidden: Iterable[int], token_width: int, resampler: Mapping[str, int] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """The nested content of an ip-adapter.bin for layers of these hidden sizes."""
    shapes = image_proj_shapes(resampler or {**SMALL, "dim_head": 64, "heads": 1}, token_width)
    layers = {}
    for place, width in enumerate(hidden):
        for kind in ("k", "v"):
            name = f"{2 * place + 1}.to_{kind}_ip.weight"
            layers[name] = fill(f"instantid.ip_adapter.{name}", (width, token_width))
    return {
        "image_proj": {k: fill(f"instantid.image_proj.{k}", s) for k, s in shapes.items()},
        "ip_adapter": layers,
    }


def flat(content: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The same with prefixed names, as safetensors repacks have it."""
    return {f"{part}.{key}": value for part, tensors in content.items() for key, value in tensors.items()}
