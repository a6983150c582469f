"""A tiny FaceChain-FACT in the published layout, for the tiny SD1.5; and a shallow TransFace for it."""

from __future__ import annotations

import torch

from .networks import CHANNELS, TEXT_WIDTH

#: Of the projector; its features are TransFace's own.
WIDTH, DEPTH, INNER, FEATURES, TOKENS = 128, 1, 128, 512, 16
#: Of TransFace; a safetensors file says so, for the real one has 12.
BLOCKS = 1
METADATA = {"blocks": str(BLOCKS)}
PLACES, PATCH = 144, 9
#: How far the gates are open.
ALPHA = 0.8
Tensors = dict[str, torch.Tensor]
Shapes = dict[str, tuple[int, ...]]


def adapter(seed: int) -> Tensors:
    """The projector, and a gate for each of the 16 layers."""
    shapes = {f"local_fac_prj.{name}": shape for name, shape in _projector().items()}
    for layer in _layers():
        shapes |= {f"{layer}.attn2.processor.{name}": shape for name, shape in _gate(CHANNELS).items()}
    return _values(shapes, seed)


def transface(seed: int) -> Tensors:
    """In half precision: it has the real width, which cannot be less."""
    shapes: Shapes = {
        "pos_embed": (1, PLACES, FEATURES),
        "patch_embed.proj.weight": (FEATURES, 3, PATCH, PATCH),
    }
    shapes |= {"patch_embed.proj.bias": (FEATURES,), **_norm("norm", FEATURES)}
    for i in range(BLOCKS):
        block = f"blocks.{i}"
        shapes |= {**_norm(f"{block}.norm1", FEATURES), **_norm(f"{block}.norm2", FEATURES)}
        shapes |= {f"{block}.attn.qkv.weight": (3 * FEATURES, FEATURES)}
        shapes |= _linear(f"{block}.attn.proj", FEATURES, FEATURES)
        shapes |= _linear(f"{block}.mlp.fc1", 4 * FEATURES, FEATURES)
        shapes |= _linear(f"{block}.mlp.fc2", FEATURES, 4 * FEATURES)
    return {name: value.half() for name, value in _values(shapes, seed).items()}


def _layers() -> list[str]:
    blocks = [f"down_blocks.{i}.attentions.{j}" for i in (0, 1, 2) for j in (0, 1)]
    blocks += [f"up_blocks.{i}.attentions.{j}" for i in (1, 2, 3) for j in (0, 1, 2)]
    return [f"{block}.transformer_blocks.0" for block in [*blocks, "mid_block.attentions.0"]]


def _gate(wide: int) -> Shapes:
    shapes: Shapes = {"alpha_attn": (), "alpha_dense": (), **_linear("linear", wide, TEXT_WIDTH)}
    shapes |= {f"attn.to_{part}.weight": (wide, wide) for part in "qkv"}
    shapes |= {**_linear("attn.to_out.0", wide, wide), **_linear("ff.net.0.proj", 8 * wide, wide)}
    return shapes | _linear("ff.net.2", wide, 4 * wide) | _norm("norm1", wide) | _norm("norm2", wide)


def _projector() -> Shapes:
    shapes: Shapes = {"latents": (1, TOKENS, WIDTH), **_linear("proj_in", WIDTH, FEATURES)}
    shapes |= {**_linear("proj_out", TEXT_WIDTH, WIDTH), **_norm("norm_out", TEXT_WIDTH)}
    for i in range(DEPTH):
        for name in ("0.norm1", "0.norm2", "1.0"):
            shapes |= _norm(f"layers.{i}.{name}", WIDTH)
        shapes[f"layers.{i}.0.to_q.weight"] = (INNER, WIDTH)
        shapes[f"layers.{i}.0.to_kv.weight"] = (2 * INNER, WIDTH)
        shapes[f"layers.{i}.0.to_out.weight"] = (WIDTH, INNER)
        shapes[f"layers.{i}.1.1.weight"] = (4 * WIDTH, WIDTH)
        shapes[f"layers.{i}.1.3.weight"] = (WIDTH, 4 * WIDTH)
    return shapes


def _linear(name: str, rows: int, columns: int) -> Shapes:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _values(shapes: Shapes, seed: int) -> Tensors:
    generator = torch.Generator().manual_seed(seed)

    def value(name: str, shape: tuple[int, ...]) -> torch.Tensor:
        if not shape:
            return torch.tensor(ALPHA)
        if len(shape) == 1:
            return torch.ones(shape) if name.endswith("weight") else torch.zeros(shape)
        return torch.randn(shape, generator=generator) * torch.Size(shape[1:]).numel() ** -0.5

    return {name: value(name, shape) for name, shape in shapes.items()}
