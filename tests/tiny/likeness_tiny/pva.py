"""A tiny PVA in the official layout, flat, for the tiny SD2 inpainting network; and one person's layer."""

from __future__ import annotations

import torch

from .networks import CHANNELS, TEXT_WIDTH

EMBEDDING = 512
TOKENS = 10
LAYERS = 2
INNER = 64  # of the feed-forward layers
BLOCKS = (1, 1, 1, 1)  # of the face encoder
FACE_WIDTH = 8
Tensors = dict[str, torch.Tensor]
Shapes = dict[str, tuple[int, ...]]


def whole(seed: int) -> Tensors:
    """Everything: it brings its own tiny face encoder, so that no other file is needed."""
    shapes: Shapes = {"modifier_vec": (TEXT_WIDTH,), **_visual()}
    shapes |= {f"transform_network.{name}": shape for name, shape in _transformer().items()}
    shapes |= {f"face_net.facenet.{name}": shape for name, shape in _face_encoder().items()}
    return _values(shapes, seed)


def person(seed: int) -> Tensors:
    """A layer that tuned all of cross-attention."""
    shapes: Shapes = {"modifier_vec": (TEXT_WIDTH,), **_visual()}
    for layer in _layers():
        for part in ("to_q", "to_k", "to_v", "to_out.0"):
            shapes[f"unet.{layer}.{part}.weight"] = (CHANNELS, TEXT_WIDTH if part[-1] in "kv" else CHANNELS)
        shapes[f"unet.{layer}.to_out.0.bias"] = (CHANNELS,)
    return _values(shapes, seed)


def _layers() -> list[str]:
    blocks = [f"down_blocks.{i}.attentions.{j}" for i in (0, 1, 2) for j in (0, 1)]
    blocks += [f"up_blocks.{i}.attentions.{j}" for i in (1, 2, 3) for j in (0, 1, 2)]
    return [f"{block}.transformer_blocks.0.attn2" for block in [*blocks, "mid_block.attentions.0"]]


def _visual() -> Shapes:
    return {
        f"unet.{layer}.to_visual_{part}.weight": (CHANNELS, CHANNELS if part == "q" else TEXT_WIDTH)
        for layer in _layers()
        for part in "qkv"
    }


def _transformer() -> Shapes:
    width = TEXT_WIDTH
    shapes: Shapes = {"0.weight": (width, EMBEDDING), "0.bias": (width,)}
    shapes |= {"q_tokens": (TOKENS, EMBEDDING), "pos_enc": (TOKENS, width)}
    for n in range(LAYERS):
        layer = f"1.layers.{n}"
        shapes |= {f"{layer}.self_attn.in_proj_weight": (3 * width, width)}
        shapes |= {f"{layer}.self_attn.in_proj_bias": (3 * width,)}
        shapes |= _linear(f"{layer}.self_attn.out_proj", width, width)
        shapes |= _linear(f"{layer}.linear1", INNER, width) | _linear(f"{layer}.linear2", width, INNER)
        shapes |= _norm(f"{layer}.norm1", width) | _norm(f"{layer}.norm2", width)
    return shapes | _norm("1.norm", width)


def _face_encoder() -> Shapes:
    """ArcFace's layout, four stages of one block."""
    width = FACE_WIDTH
    shapes: Shapes = {"conv1.weight": (width, 3, 3, 3), "prelu.weight": (width,), **_batch_norm("bn1", width)}
    for n, blocks in enumerate(BLOCKS, start=1):
        for i in range(blocks):
            block = f"layer{n}.{i}"
            shapes |= {f"{block}.conv{c}.weight": (width, width, 3, 3) for c in (1, 2)}
            for c in (1, 2, 3):
                shapes |= _batch_norm(f"{block}.bn{c}", width)
            shapes[f"{block}.prelu.weight"] = (width,)
            if i == 0:
                shapes[f"{block}.downsample.0.weight"] = (width, width, 1, 1)
                shapes |= _batch_norm(f"{block}.downsample.1", width)
    shapes |= _batch_norm("bn2", width) | _linear("fc", EMBEDDING, width * 7 * 7)
    return shapes | _batch_norm("features", EMBEDDING)


def _linear(name: str, rows: int, columns: int) -> Shapes:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _batch_norm(name: str, width: int) -> Shapes:
    return {**_norm(name, width), f"{name}.running_mean": (width,), f"{name}.running_var": (width,)}


def _values(shapes: Shapes, seed: int) -> Tensors:
    generator = torch.Generator().manual_seed(seed)

    def value(name: str, shape: tuple[int, ...]) -> torch.Tensor:
        if len(shape) > 1 or name == "modifier_vec":
            fan_in = max(1, torch.Size(shape[1:]).numel())
            return torch.randn(shape, generator=generator) * fan_in**-0.5
        return torch.ones(shape) if name.endswith(("weight", "var")) else torch.zeros(shape)

    return {name: value(name, shape) for name, shape in shapes.items()}
