"""ConsistentID's files for small networks, with deterministic weights, in the published key layout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from .fill import fill

#: Width of CLIP's states in these files: that of the tiny CLIP vision model.
VISION = 48
RANK = 2
#: Queries of a perceiver are as wide as this in FacialEncoder; heads are 64 wide.
INNER = 64
Shapes = dict[str, tuple[int, ...]]
Content = dict[str, dict[str, torch.Tensor]]


def content(hidden: Iterable[int], context: int, vision: int = VISION) -> Content:
    """A file for cross-attention layers of these hidden sizes, in files' order, nested as published."""
    parts = {
        "image_proj": _image_proj(context, vision),
        "FacialEncoder": _facial(context, vision),
        "adapter_modules": modules(list(hidden), context),
    }
    return {
        part: {key: fill(f"consistentid.{part}.{key}", shape) for key, shape in shapes.items()}
        for part, shapes in parts.items()
    }


def flat(given: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The same with prefixed names, as training leaves it."""
    return {f"{part}.{key}": value for part, tensors in given.items() for key, value in tensors.items()}


def modules(hidden: Sequence[int], context: int) -> Shapes:
    shapes: Shapes = {}
    for number in range(2 * len(hidden)):
        width = hidden[number // 2]
        for projection in ("q", "k", "v", "out"):
            inside = context if number % 2 and projection in "kv" else width
            shapes[f"{number}.to_{projection}_lora.down.weight"] = (RANK, inside)
            shapes[f"{number}.to_{projection}_lora.up.weight"] = (width, RANK)
        if number % 2:
            shapes |= {f"{number}.to_{half}_ip.weight": (width, context) for half in "kv"}
    return shapes


def _image_proj(context: int, vision: int) -> Shapes:
    shapes: Shapes = {**_linear("proj.0", 16, 512), **_linear("proj.2", 4 * context, 16)}
    within = _perceiver(context, vision, context)
    return {**shapes, **_norm("norm", context), **{f"perceiver_resampler.{k}": s for k, s in within.items()}}


def _facial(context: int, vision: int) -> Shapes:
    sees: Shapes = {"latents": (1, 1, INNER), **_perceiver(INNER, vision, context)}
    fuses: Shapes = _norm("layer_norm", context)
    for name, inside in (("mlp1", 2 * context), ("mlp2", context)):
        fuses |= {**_norm(f"{name}.layernorm", inside), **_linear(f"{name}.fc1", context, inside)}
        fuses |= _linear(f"{name}.fc2", context, context)
    named = {f"visual_projection.{k}": s for k, s in sees.items()}
    return {**named, **{f"fuse_module.{k}": s for k, s in fuses.items()}}


def _perceiver(width: int, inside: int, outside: int) -> Shapes:
    shapes = {**_linear("proj_in", width, inside), **_linear("proj_out", outside, width)}
    shapes |= _norm("norm_out", outside)
    for name in ("0.norm1", "0.norm2", "1.0"):
        shapes |= _norm(f"layers.0.{name}", width)
    shapes |= {"layers.0.0.to_q.weight": (INNER, width), "layers.0.0.to_kv.weight": (2 * INNER, width)}
    shapes |= {"layers.0.0.to_out.weight": (width, INNER), "layers.0.1.1.weight": (2 * width, width)}
    return {**shapes, "layers.0.1.3.weight": (width, 2 * width)}


def _linear(name: str, rows: int, columns: int) -> Shapes:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}
