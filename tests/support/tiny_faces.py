"""Small real ONNX networks that stand in for a face pack's files, and where the real small ones lie."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from installer import paths
from likeness.faces.models import FaceModels

EMBEDDED = paths.REPOSITORY / "models" / "embedded"


def embedded() -> FaceModels:
    """The embedded pack without the host: its recogniser lies in the shared cache."""
    return FaceModels.open("embedded", "CPU", [paths.shared_models() / "insightface"])


def image(*pictures: np.ndarray) -> torch.Tensor:
    """Photos of one size as the host's IMAGE."""
    return torch.from_numpy(np.stack(pictures).astype(np.float32) / 255.0)


def fitted(*photos: np.ndarray, side: int = 448) -> torch.Tensor:
    """Photos of any size as one IMAGE of squares."""
    squares = []
    for photo in photos:
        small = Image.fromarray(photo)
        small.thumbnail((side, side))
        square = Image.new("RGB", (side, side))
        square.paste(small)
        squares.append(np.asarray(square))
    return image(*squares)


def write_recogniser(
    path: Path, seed: int, width: int = 512, batch: int | str = "n", size: int = 112
) -> None:
    """A network that takes faces like ArcFace: mean colours of a 7 x 7 grid through a fixed random matrix."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    step = size // 7
    matrix = np.random.default_rng(seed).standard_normal((3 * 7 * 7, width)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["data"], ["grid"], kernel_shape=[step, step], strides=[step, step]),
        helper.make_node("Flatten", ["grid"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [batch, 3, size, size])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [batch, width])],
        [numpy_helper.from_array(matrix, "matrix")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))


def write_antelopev2(folder: Path) -> Path:
    """A pack in the host's `insightface` folder: nested as the official zip is, strangers beside."""
    pack = folder / "models" / "antelopev2" / "antelopev2"
    write_recogniser(pack / "glintr100.onnx", seed=1)
    write_recogniser(pack / "arcface.onnx", seed=2)
    shutil.copy(EMBEDDED / "det_yunet_scrfd.onnx", pack / "scrfd_10g_bnkps.onnx")
    for stranger in ("aaa_inswapper_128.onnx", "zzz.onnx", "1k3d68.onnx"):
        (pack / stranger).write_bytes(b"not a network")
    return pack
