"""The drawn world's Arc2Face in our nodes: they make of a face what the trainer made of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from support.sampling import sample

from proof.networks import arc2face, layouts
from proof.training.stages import Tensors

Drawn = Callable[[str], Tensors]
UNET, ENCODER = "drawn_arc2face.safetensors", "drawn_arc2face_encoder.safetensors"


@pytest.fixture(scope="module")
def made(drawn: Drawn) -> Tensors:
    return drawn("arc2face")


@pytest.fixture(scope="module")
def loaded(pack: Any, base: Path, made: Tensors) -> tuple[Any, Any]:
    network, encoder = arc2face.files(made)
    for folder, name, tensors in (("diffusion_models", UNET, network), ("text_encoders", ENCODER, encoder)):
        (base / "models" / folder).mkdir(exist_ok=True)
        save_file(tensors, base / "models" / folder / name)
    model, clip = pack.node("LikenessLoadArc2Face").execute(unet_file=UNET, encoder_file=ENCODER).result
    return model, clip


def _identity(pack: Any, seed: int) -> Any:
    vector = 20 * torch.nn.functional.normalize(torch.randn(1, 512, generator=torch.manual_seed(seed)))
    return pack.module("likeness.values").Identity(vector, "arc2face")


def _trainers(made: Tensors) -> arc2face.Encoder:
    encoder = arc2face.Encoder(0)
    with torch.no_grad():
        for name, parameter in arc2face.kept(encoder).items():
            parameter.copy_(made[name])
    return encoder


def test_the_node_encodes_as_the_trainer_did(pack: Any, loaded: Any, made: Tensors) -> None:
    identity = _identity(pack, 1)
    shown = pack.node("LikenessEncodeArc2Face").execute(clip=loaded[1], identity=identity).result
    encoder = _trainers(made)
    with torch.no_grad():
        ours = encoder.faces(torch.cat([identity.embeddings, torch.zeros(1, 512)]))
    for prompt, wanted in zip(shown, ours, strict=True):
        # The host keeps text encoders in half precision.
        assert (prompt[0][0][0] - wanted).abs().max() < 0.02
    assert (ours[0] - ours[1]).std() > 0.1


def test_the_loaded_network_is_the_trained_one(loaded: Any, made: Tensors) -> None:
    own = layouts.unet("arc2face", 0)
    own.load_state_dict(arc2face.files(made)[0])
    chance = torch.manual_seed(2)
    noisy, context = torch.randn(1, 4, 16, 16, generator=chance), torch.randn(1, 77, 576, generator=chance)
    times = torch.tensor([500.0])
    with torch.no_grad():
        found = loaded[0].model.diffusion_model.float()(noisy, times, context)
        assert torch.allclose(found, own(noisy, times, context), atol=1e-4)


def test_another_face_makes_another_picture(pack: Any, loaded: Any) -> None:
    noise = torch.randn(1, 4, 16, 16, generator=torch.manual_seed(3))
    drawn = []
    for seed in (1, 2):
        encode = pack.node("LikenessEncodeArc2Face").execute
        positive, negative = encode(clip=loaded[1], identity=_identity(pack, seed)).result
        drawn.append(sample(loaded[0], positive, negative, noise, steps=2))
    assert torch.isfinite(drawn[0]).all()
    # A few steps teach little of faces, but more than rounding.
    assert (drawn[0] - drawn[1]).abs().max() > 1e-4 * drawn[0].abs().max()
