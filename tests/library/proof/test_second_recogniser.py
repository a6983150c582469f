"""The second recogniser of the drawn world as a face pack holds it."""

from __future__ import annotations

import torch

from proof import packing
from proof.networks import recognisers
from proof.networks.onnx_recogniser import LENGTH, onnx_file
from proof.training.command import MODELS


def test_the_file_says_what_the_network_does() -> None:
    import onnxruntime

    tensors = packing.read(MODELS / "second.safetensors")
    faces = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(0)) * 2 - 1
    session = onnxruntime.InferenceSession(onnx_file(tensors), providers=["CPUExecutionProvider"])
    (found,) = session.run(["embedding"], {"input.1": faces.numpy()})
    network = recognisers.second()
    network.load_state_dict(tensors)
    with torch.no_grad():
        own = LENGTH * network(faces)
    assert torch.allclose(torch.from_numpy(found), own, rtol=1e-3, atol=1e-3)
