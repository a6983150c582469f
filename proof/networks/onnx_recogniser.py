"""The recogniser as the kind of file that face packs are made of, so that our nodes open it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from .onnx_graph import Graph
from .recognisers import WIDTH

#: Of raw vectors, about as ArcFace's are: the recogniser itself gives length 1.
LENGTH = 20.0
_SIDE = 112
_GROUPS = 8


def onnx_file(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """recognisers.Recogniser, ArcFace's way: [n, 3, 112, 112] -1..1 to [n, 512] of LENGTH."""
    graph = Graph(tensors)
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
    return graph.file("drawn recogniser", _SIDE, WIDTH)


def _residual(graph: Graph, before: str, name: str) -> str:
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
