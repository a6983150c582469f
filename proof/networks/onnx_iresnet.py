"""PVA's face encoder as a file of a face pack: a second recogniser, to judge what the first conditions."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from .onnx_graph import Graph

_SIDE, _WIDTH, _STAGES = 112, 512, 4


def onnx_file(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """likeness' IResNet: [n, 3, 112, 112] -1..1 to [n, 512], raw."""
    graph = Graph(tensors)
    last = _prelu(graph, _norm(graph, graph.conv("input.1", "conv1", bias=False), "bn1"), "prelu")
    for stage in range(1, 1 + _STAGES):
        place = 0
        while f"layer{stage}.{place}.conv1.weight" in tensors:
            last = _block(graph, last, f"layer{stage}.{place}", 1 if place else 2)
            place += 1
    last = graph.node("Flatten", _norm(graph, last, "bn2"))
    last = graph.node("Gemm", last, graph.weight("fc.weight"), graph.weight("fc.bias"), transB=1)
    _norm(graph, last, "features", output="embedding")
    return graph.file("drawn face encoder", _SIDE, _WIDTH)


def _block(graph: Graph, before: str, name: str, stride: int) -> str:
    last = graph.conv(_norm(graph, before, f"{name}.bn1"), f"{name}.conv1", bias=False)
    last = _prelu(graph, _norm(graph, last, f"{name}.bn2"), f"{name}.prelu")
    last = _norm(graph, graph.conv(last, f"{name}.conv2", stride, bias=False), f"{name}.bn3")
    if f"{name}.downsample.0.weight" in graph.tensors:
        short = graph.conv(before, f"{name}.downsample.0", stride, bias=False)
        before = _norm(graph, short, f"{name}.downsample.1")
    return graph.node("Add", last, before)


def _norm(graph: Graph, before: str, name: str, output: str = "") -> str:
    """A batch norm by its statistics."""
    parts = ("weight", "bias", "running_mean", "running_var")
    given = [before, *(graph.weight(f"{name}.{part}") for part in parts)]
    return graph.node("BatchNormalization", *given, output=output, epsilon=1e-5)


def _prelu(graph: Graph, before: str, name: str) -> str:
    channels = len(graph.tensors[f"{name}.weight"])
    return graph.node("PRelu", before, graph.weight(f"{name}.weight", (channels, 1, 1)))
