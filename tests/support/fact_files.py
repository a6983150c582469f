"""FACT's and TransFace's files with deterministic weights, in the published layout."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .fill import fill
from .pva_files import LAYERS, layer

Tensors = dict[str, torch.Tensor]
Shapes = dict[str, tuple[int, ...]]

#: A tiny resampler, as the golden's: 2 heads of 64.
WIDE, DEPTH = 128, 2


def processor(number: int) -> str:
    """What the file calls a layer, in checkpoint order."""
    return f"{layer(LAYERS[number])}.processor"


def gate_shapes(wide: int, width: int) -> Shapes:
    shapes: Shapes = {
        "alpha_attn": (),
        "alpha_dense": (),
        "linear.weight": (wide, width),
        "linear.bias": (wide,),
    }
    shapes |= {f"attn.to_{part}.weight": (wide, wide) for part in ("q", "k", "v", "out.0")}
    shapes |= {"attn.to_out.0.bias": (wide,), "ff.net.0.proj.weight": (8 * wide, wide)}
    shapes |= {
        "ff.net.0.proj.bias": (8 * wide,),
        "ff.net.2.weight": (wide, 4 * wide),
        "ff.net.2.bias": (wide,),
    }
    return shapes | {f"norm{n}.{part}": (wide,) for n in (1, 2) for part in ("weight", "bias")}


def projector_shapes(width: int, wide: int = WIDE, depth: int = DEPTH, inner: int = 128) -> Shapes:
    shapes: Shapes = {"latents": (1, 16, wide), "proj_in.weight": (wide, 512), "proj_in.bias": (wide,)}
    shapes |= {"proj_out.weight": (width, wide), "proj_out.bias": (width,)}
    shapes |= {"norm_out.weight": (width,), "norm_out.bias": (width,)}
    for i in range(depth):
        for norm in ("0.norm1", "0.norm2", "1.0"):
            shapes |= {f"layers.{i}.{norm}.{part}": (wide,) for part in ("weight", "bias")}
        shapes |= {
            f"layers.{i}.0.to_q.weight": (inner, wide),
            f"layers.{i}.0.to_kv.weight": (2 * inner, wide),
        }
        shapes |= {f"layers.{i}.0.to_out.weight": (wide, inner), f"layers.{i}.1.1.weight": (4 * wide, wide)}
        shapes[f"layers.{i}.1.3.weight"] = (wide, 4 * wide)
    return {f"local_fac_prj.{name}": shape for name, shape in shapes.items()}


def adapter(
    hidden: Sequence[int], width: int, alphas: Sequence[Sequence[float]] | None = None, norms: bool = False
) -> Tensors:
    """A whole file. hidden: of each layer, in checkpoint order. alphas: the two numbers of each."""
    shapes = projector_shapes(width)
    for number, wide in enumerate(hidden):
        shapes |= {f"{processor(number)}.{name}": shape for name, shape in gate_shapes(wide, width).items()}
        if norms:
            shapes |= {f"{processor(number)}.ln.{part}": (wide,) for part in ("weight", "bias")}
    made = {name: fill(f"fact.{name}", shape) for name, shape in shapes.items()}
    for number in range(len(hidden)):
        both = (0.7, -0.4) if alphas is None else alphas[number]
        for name, value in zip(("alpha_attn", "alpha_dense"), both, strict=True):
            made[f"{processor(number)}.{name}"] = torch.tensor(float(value))
    return made


def transface(blocks: int = 2, width: int = 512) -> Tensors:
    """What local tokens need of the file. The first layer of each block is large, so that ReLU6 cuts."""
    shapes: Shapes = {"pos_embed": (1, 144, width), "patch_embed.proj.weight": (width, 3, 9, 9)}
    shapes |= {"patch_embed.proj.bias": (width,), "norm.weight": (width,), "norm.bias": (width,)}
    for i in range(blocks):
        for norm in ("norm1", "norm2"):
            shapes |= {f"blocks.{i}.{norm}.{part}": (width,) for part in ("weight", "bias")}
        shapes |= {f"blocks.{i}.attn.qkv.weight": (3 * width, width)}
        shapes |= {f"blocks.{i}.attn.proj.weight": (width, width), f"blocks.{i}.attn.proj.bias": (width,)}
        shapes |= {f"blocks.{i}.mlp.fc1.weight": (4 * width, width), f"blocks.{i}.mlp.fc1.bias": (4 * width,)}
        shapes |= {f"blocks.{i}.mlp.fc2.weight": (width, 4 * width), f"blocks.{i}.mlp.fc2.bias": (width,)}
    made = {name: fill(f"transface.{name}", shape) for name, shape in shapes.items()}
    return {k: 4 * v if k.endswith("mlp.fc1.weight") else v for k, v in made.items()}


def unused() -> Tensors:
    """Parts of the published TransFace file that nobody reads, in a small size."""
    names = ("mask_token", "feature.0.weight", "feature.1.running_mean", "senet.0.weight", "senet.2.weight")
    return {name: torch.zeros(1, 1) for name in names}
