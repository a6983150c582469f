"""A projector's tensors: how large they are, and layers made of them in float32."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F

Tensors = Mapping[str, torch.Tensor]


def size_of(tensors: Tensors, name: str, axis: int) -> int:
    """A side of a tensor; 1 where it has no such axis, which the check of its shape then tells."""
    shape = tensors[name].shape
    return int(shape[axis]) if axis < len(shape) else 1


def check_shapes(tensors: Tensors, wanted: Mapping[str, tuple[int, ...]], what: str) -> None:
    for name, shape in wanted.items():
        found = tuple(tensors[name].shape)
        if found != shape or 0 in shape:
            sides = "x".join(map(str, shape))
            raise ValueError(f"{what}: {name} is {list(found)}, which does not fit {sides} or is empty")


def linear(tensors: Tensors, name: str, x: torch.Tensor) -> torch.Tensor:
    bias = tensors.get(f"{name}.bias")
    weight = tensors[f"{name}.weight"].to(torch.float32)
    return F.linear(x, weight, None if bias is None else bias.to(torch.float32))


def norm(tensors: Tensors, name: str, x: torch.Tensor) -> torch.Tensor:
    weight = tensors[f"{name}.weight"].to(torch.float32)
    return F.layer_norm(x, weight.shape, weight, tensors[f"{name}.bias"].to(torch.float32))
