"""PVA files with deterministic weights, in the official layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from likeness.adapters.projectors import IdentityTransformer
from likeness.faces.iresnet import IResNet

from .fill import fill, fill_state

Tensors = dict[str, torch.Tensor]

#: The cross-attention layers of SD1.5 and SD2 by diffusers' names, in checkpoint order.
LAYERS = (
    *(f"down_blocks.{i}.attentions.{j}" for i in (0, 1, 2) for j in (0, 1)),
    *(f"up_blocks.{i}.attentions.{j}" for i in (1, 2, 3) for j in (0, 1, 2)),
    "mid_block.attentions.0",
)
VISUAL = ("to_visual_q", "to_visual_k", "to_visual_v")


def layer(name: str) -> str:
    return f"{name}.transformer_blocks.0.attn2"


def visual(hidden: Sequence[int], width: int) -> Tensors:
    """The 48 visual matrices; hidden: of each layer."""
    shapes = {
        f"{layer(name)}.{part}.weight": (size, size if part.endswith("q") else width)
        for name, size in zip(LAYERS, hidden, strict=True)
        for part in VISUAL
    }
    return {key: fill(f"pva.unet.{key}", shape) for key, shape in shapes.items()}


def text(hidden: Sequence[int], width: int) -> Tensors:
    """The layers' own attention, as a file that tuned it holds it."""
    made: Tensors = {}
    for name, size in zip(LAYERS, hidden, strict=True):
        shapes: dict[str, tuple[int, ...]] = {"to_q.weight": (size, size), "to_out.0.weight": (size, size)}
        shapes |= {"to_k.weight": (size, width), "to_v.weight": (size, width), "to_out.0.bias": (size,)}
        made |= {f"{layer(name)}.{k}": fill(f"tuned.{layer(name)}.{k}", s) for k, s in shapes.items()}
    return made


def transformer(width: int, inner: int = 2048, layers: int = 4) -> Tensors:
    state = IdentityTransformer(512, width, 10, layers, inner).state_dict()
    return fill_state(state, "pva.transform_network.")


def face_net(
    stem: int = 4, widths: Sequence[int] = (4, 4, 8, 8), blocks: Sequence[int] = (1, 2, 1, 1)
) -> Tensors:
    """A tiny ArcFace network; the variances of its batch norms are positive."""
    state = IResNet(stem, widths, blocks, 512).state_dict()
    made = fill_state(state, "pva.face_net.")
    return {k: v.abs() + 0.5 if k.endswith("running_var") else v for k, v in made.items()}


def base(hidden: Sequence[int], width: int) -> dict[str, Any]:
    """The nested content of FPIP.bin, stage 1."""
    return {
        "modifier_vec": fill("pva.modifier_vec", (1, width))[0],
        "transform_network": transformer(width),
        "unet": visual(hidden, width),
    }


def flat(content: Mapping[str, Any]) -> Tensors:
    """The same with names joined by dots."""
    made: Tensors = {}
    for part, value in content.items():
        if isinstance(value, torch.Tensor):
            made[part] = value
        else:
            made |= {f"{part}.{key}": tensor for key, tensor in value.items()}
    return made
