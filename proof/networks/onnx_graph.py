"""A network written node by node as the kind of file that face packs are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

Tensors = dict[str, torch.Tensor]


class Graph:
    """Nodes and weights of a network, each node added behind those that are there."""

    def __init__(self, tensors: Mapping[str, torch.Tensor]) -> None:
        self.tensors: Tensors = dict(tensors)
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = output or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, array: np.ndarray[Any, Any], name: str = "") -> str:
        from onnx import numpy_helper

        name = name or f"constant_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, name: str, shape: tuple[int, ...] | None = None) -> str:
        array = self.tensors[name].float().numpy()
        return self.constant(array if shape is None else array.reshape(shape), name)

    def conv(self, before: str, name: str, stride: int = 1, bias: bool = True) -> str:
        side = self.tensors[f"{name}.weight"].shape[2]
        given = [before, self.weight(f"{name}.weight")] + ([self.weight(f"{name}.bias")] if bias else [])
        edge = [side // 2] * 4
        return self.node("Conv", *given, kernel_shape=[side, side], strides=[stride] * 2, pads=edge)

    def file(self, name: str, side: int, width: int) -> bytes:
        """As face packs have it: `input.1` [n, 3, side, side] to `embedding` [n, width]."""
        from onnx import TensorProto, helper

        faces = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, ["n", 3, side, side])
        vectors = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", width])
        made = helper.make_graph(self.nodes, name, [faces], [vectors], self.weights)
        model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        written: bytes = model.SerializeToString()
        return written
