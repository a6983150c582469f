"""A tiny E-adapter: an IP-Adapter Plus for the tiny networks and the tiny CLIP vision model."""

from __future__ import annotations

import torch

from .clip_vision import WIDTH as VISION
from .networks import CHANNELS, UNETS

WIDTH = 128  # of the resampler
DEPTH = 4  # diffusers knows no other
HEADS = 2
HEAD_WIDTH = 64
TOKENS = 16
SITES = {"sd15": 16, "sdxl": 70}
Shapes = dict[str, tuple[int, ...]]


def metadata(kind: str) -> dict[str, str]:
    facts = {"format": "emojidiff-style/1", "base": kind, "clip": "tiny"}
    return {**facts, "template": "aligned-masked-v1", "layers": "all"}


def eadapter(kind: str, seed: int) -> dict[str, torch.Tensor]:
    """Flat, with the names that IP-Adapter Plus files have."""
    context = UNETS[kind]["context_dim"]
    shapes = {f"image_proj.{name}": shape for name, shape in _resampler(context).items()}
    for site in range(SITES[kind]):
        for half in "kv":
            shapes[f"ip_adapter.{2 * site + 1}.to_{half}_ip.weight"] = (CHANNELS, context)
    generator = torch.Generator().manual_seed(seed)

    def value(name: str, shape: tuple[int, ...]) -> torch.Tensor:
        if len(shape) == 1:
            return torch.ones(shape) if name.endswith("weight") else torch.zeros(shape)
        return torch.randn(shape, generator=generator) * shape[-1] ** -0.5

    return {name: value(name, shape) for name, shape in shapes.items()}


def _resampler(context: int) -> Shapes:
    inner = HEADS * HEAD_WIDTH
    shapes: Shapes = {"latents": (1, TOKENS, WIDTH), **_linear("proj_in", WIDTH, VISION)}
    shapes |= {**_linear("proj_out", context, WIDTH), **_norm("norm_out", context)}
    for i in range(DEPTH):
        for name in ("0.norm1", "0.norm2", "1.0"):
            shapes |= _norm(f"layers.{i}.{name}", WIDTH)
        shapes[f"layers.{i}.0.to_q.weight"] = (inner, WIDTH)
        shapes[f"layers.{i}.0.to_kv.weight"] = (2 * inner, WIDTH)
        shapes[f"layers.{i}.0.to_out.weight"] = (WIDTH, inner)
        shapes[f"layers.{i}.1.1.weight"] = (4 * WIDTH, WIDTH)
        shapes[f"layers.{i}.1.3.weight"] = (WIDTH, 4 * WIDTH)
    return shapes


def _linear(name: str, rows: int, columns: int) -> Shapes:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}
