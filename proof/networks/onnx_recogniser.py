"""The recogniser as the kind of file that face packs are made of, so that our nodes open it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ..training.stages import Tensors
from .recognisers import WIDTH

#: Of raw vectors, about as ArcFace's are: the recogniser itself gives length 1.
LENGTH = 20.0
_SIDE = 112
_GROUPS = 8


def onnx_file(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """recognisers.Recogniser, ArcFace's way: [n, 3, 112, 112] -1..1 to [n, 512] of LENGTH."""
    from onnx import TensorProto, helper

    graph = _Graph(tensors)
    last = graph.node("AveragePool", "input.1", kernel_shape=[2, 2], strides=[2, 2])
    last = graph.node("Relu", graph.conv(last, "body.1"))
    place = 3
    while f"body.{place + 2}.first.weight" in tensors:
        last = graph.node("Relu", graph.conv(last, f"body.{place}", stride=2))
        last = _residual(graph, last, f"body.{place + 2}")
        place += 3
    last = graph.node("Flatten", graph.node("Relu", graph.conv(last, f"body.{place}")))
    last = graph.node("Gemm", last, graph.weight("embed.weight"), graph.weight("embed.bias"), transB=1)
    last = graph.node("LpNormalization", last, axis=1, p=2)
    graph.node("Mul", last, graph.constant(np.array(LENGTH, np.float32)), output="embedding")
    made = helper.make_graph(
        graph.nodes,
        "drawn recogniser",
        [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, ["n", 3, _SIDE, _SIDE])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", WIDTH])],
        graph.weights,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    written: bytes = model.SerializeToString()
    return written


def _residual(graph: _Graph, before: str, name: str) -> str:
    last = graph.conv(before, f"{name}.first", bias=False)
    # A group norm: each group as one channel of an instance norm, then scale and shift.
    channels = len(graph.tensors[f"{name}.norm.weight"])
    grouped = graph.node("Reshape", last, graph.constant(np.array([0, _GROUPS, -1])))
    ones, zeros = np.ones(_GROUPS, np.float32), np.zeros(_GROUPS, np.float32)
    grouped = graph.node(
        "InstanceNormalization", grouped, graph.constant(ones), graph.constant(zeros), epsilon=1e-5
    )
    last = graph.node("Reshape", grouped, graph.node("Shape", last))
    shape = (channels, 1, 1)
    last = graph.node("Mul", last, graph.weight(f"{name}.norm.weight", shape))
    last = graph.node("Add", last, graph.weight(f"{name}.norm.bias", shape))
    last = graph.conv(graph.node("Relu", last), f"{name}.second")
    return graph.node("Relu", graph.node("Add", before, last))


class _Graph:
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
