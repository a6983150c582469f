"""The second recogniser of the drawn world as a face pack holds it."""

from __future__ import annotations

import numpy as np
import torch

from proof import packing
from proof.networks import recognisers
from proof.networks.crops import RECOGNISED, batch, crop
from proof.networks.onnx_recogniser import LENGTH, onnx_file
from proof.report.cases import cases
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


def test_a_face_beside_its_place_is_still_the_person() -> None:
    """The detector sets all five points of some faces a fifth of the eyes' distance aside, and here a little
    more."""
    network = recognisers.second()
    network.load_state_dict(packing.read(MODELS / "second.safetensors"))
    crops = []
    for case in cases(24):
        for drawing, aside in ((case.reference_drawing, 0.0), (case.truth_drawing, 0.2)):
            points = drawing.points[0]
            eyes = float(np.linalg.norm(points[1] - points[0]))
            crops.append(crop(drawing.picture, points + np.float32(aside * eyes), RECOGNISED))
    with torch.no_grad():
        vectors = network(batch(crops)).reshape(24, 2, -1)
    alike = vectors[:, 0] @ vectors[:, 1].T
    assert float(alike.diagonal().min()) >= 0.5
    assert torch.equal(alike.argmax(dim=0), torch.arange(24)), "everybody is most like themselves"
