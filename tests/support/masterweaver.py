"""MasterWeaver files with deterministic weights, in the published layout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from .fill import fill

Tensors = dict[str, torch.Tensor]
Shapes = dict[str, Sequence[int]]
#: Width of a vision model's states in these files, of prompt tokens, and of the tiny networks' layers.
VISION, CONTEXT, HIDDEN = 48, 64, 32


def encoder_shapes(width: int = CONTEXT, vision: int = VISION, inner: int = 128) -> Shapes:
    shapes: Shapes = {"latents": (1, 16, width)}
    shapes |= {"proj_in.weight": (width, vision), "proj_in.bias": (width,)}
    shapes |= {"proj_out.weight": (width, width), "proj_out.bias": (width,)}
    shapes |= {"norm_out.weight": (width,), "norm_out.bias": (width,)}
    for name in (
        "layers.0.0.norm1",
        "layers.0.0.norm2",
        "layers.0.1.0",
        "final_attn.norm1",
        "final_attn.norm2",
    ):
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    for name in ("layers.0.0", "final_attn"):
        shapes |= {f"{name}.to_q.weight": (inner, width), f"{name}.to_kv.weight": (2 * inner, width)}
        shapes[f"{name}.to_out.weight"] = (width, inner)
    return shapes | {"layers.0.1.1.weight": (4 * width, width), "layers.0.1.3.weight": (width, 4 * width)}


def layer_shapes(hidden: Iterable[int], width: int = CONTEXT) -> Shapes:
    return {
        f"{2 * n + 1}.to_{half}_img.weight": (size, width) for n, size in enumerate(hidden) for half in "kv"
    }


def content(encoder: Shapes, modules: Shapes) -> dict[str, Tensors]:
    """A nested file's content, filled as the golden's."""
    parts = {"id_encoder": encoder, "adapter_modules": modules}
    return {
        part: {key: fill(f"masterweaver.{part}.{key}", shape) for key, shape in shapes.items()}
        for part, shapes in parts.items()
    }


def tiny(
    hidden: Iterable[int] = (HIDDEN,) * 16, width: int = CONTEXT, vision: int = VISION
) -> dict[str, Tensors]:
    return content(encoder_shapes(width, vision), layer_shapes(hidden, width))


def flat(nested: dict[str, Tensors]) -> Tensors:
    return {f"{part}.{key}": value for part, tensors in nested.items() for key, value in tensors.items()}
