"""The drawn world's reader of expressions in our node: it says what the trainer's half of it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from likeness.expressions.crop import crop_face
from likeness.expressions.smirk import limit
from proof.networks import smirk
from proof.training.expressions import square_of
from proof.training.stages import Tensors
from proof.world.draw import draw
from proof.world.scene import figure

FILE = "drawn_smirk.safetensors"


def test_the_node_reads_what_the_trainer_reads(
    pack: Any, base: Path, drawn: Callable[[str], Tensors]
) -> None:
    made = drawn("smirk")
    (base / "models" / "smirk").mkdir(exist_ok=True)
    save_file(smirk.padded(made), base / "models" / "smirk" / FILE)
    models = pack.module("likeness.faces.models").FaceModels.open("embedded", "CPU")
    for seed in (3, 8):
        one = figure(seed)
        picture = torch.from_numpy(draw(one, 128).picture)
        shown = picture[None].float() / 255
        faces = pack.module("likeness.faces.detect").detect(models, shown)
        mesh = pack.module("likeness.faces.mesh").landmarks(picture, faces.faces[0][0])
        low, high = mesh[:, :2].amin(0).numpy(), mesh[:, :2].amax(0).numpy()
        x, y, side = square_of(one)
        assert np.abs((low + high) / 2 - (x, y)).max() < 0.06 * side
        assert abs(1.4 * float((high - low).mean()) / side - 1) < 0.15

        given = {"encoder": FILE, "image": shown}
        found = pack.node("LikenessReadExpression").execute(**given)[0].parameters
        crop = crop_face(picture, mesh).flip(-1).movedim(-1, 0)[None].float() / 255
        with torch.no_grad():
            half = torch.nn.functional.avg_pool2d(crop, 2)
            wanted = limit(smirk.load(made)(half) @ smirk.mixture().T)
        assert torch.allclose(found, wanted, atol=1e-3)


def test_an_expression_can_be_read_back() -> None:
    numbers = torch.rand(20, 5, generator=torch.manual_seed(1)) * 2 - 1
    numbers[:, 3] = numbers[:, 3].abs()  # lids
    assert torch.allclose(smirk.told(limit(numbers @ smirk.mixture().T)), numbers, atol=1e-5)
