"""The drawn world's Arc2Face in our nodes: they make of a face what the trainer made of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from support.sampling import denoise, sample

from proof.networks import arc2face
from proof.networks.expression_adapter import ExpressionAdapter, whole
from proof.training.stages import Tensors

Drawn = Callable[[str], Tensors]
UNET, ENCODER = "drawn_arc2face.safetensors", "drawn_arc2face_encoder.safetensors"
EXPRESSION = "drawn_arc2face_expression.safetensors"


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


def test_the_node_encodes_as_the_trainer_did(pack: Any, loaded: Any, made: Tensors) -> None:
    identity = _identity(pack, 1)
    shown = pack.node("LikenessEncodeArc2Face").execute(clip=loaded[1], identity=identity).result
    encoder = arc2face.load(made)[1]
    with torch.no_grad():
        ours = encoder.faces(torch.cat([identity.embeddings, torch.zeros(1, 512)]))
    for prompt, wanted in zip(shown, ours, strict=True):
        # The host keeps text encoders in half precision.
        assert (prompt[0][0][0] - wanted).abs().max() < 0.02
    assert (ours[0] - ours[1]).std() > 0.1


def test_the_loaded_network_is_the_trained_one(loaded: Any, made: Tensors) -> None:
    own = arc2face.load(made)[0]
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


def test_the_node_shows_an_expression_as_the_trainer_did(
    pack: Any, base: Path, loaded: Any, made: Tensors
) -> None:
    network, encoder = arc2face.load(made)
    adapter = ExpressionAdapter(network, 5)
    with torch.no_grad():  # its values begin as zeros
        for n, parameter in enumerate(adapter.parameters()):
            parameter.add_(torch.randn(parameter.shape, generator=torch.manual_seed(n)), alpha=0.1)
        for n, (name, parameter) in enumerate(adapter.learnt().items()):
            if name.endswith("to_v_ip.weight"):
                parameter.normal_(0, 0.1, generator=torch.manual_seed(n))
    (base / "models" / "ipadapter").mkdir(exist_ok=True)
    save_file(whole(adapter.learnt()), base / "models" / "ipadapter" / EXPRESSION)
    shown = torch.rand(1, 55, generator=torch.manual_seed(6))
    given = {
        "expression_adapter": pack.node("LikenessLoadExpressionAdapter").execute(file=EXPRESSION)[0],
        "expression": pack.module("likeness.values").Expression(shown),
    }
    patched = pack.node("LikenessApplyExpression").execute(model=loaded[0], **given, weight=1.0)[0]
    identity = _identity(pack, 1)
    prompts = pack.node("LikenessEncodeArc2Face").execute(clip=loaded[1], identity=identity).result
    times = torch.tensor([500])
    sigma = float(loaded[0].get_model_object("model_sampling").sigma(times.float())[0])
    x = torch.randn(1, 4, 16, 16, generator=torch.manual_seed(4)) * (1 + sigma**2) ** 0.5
    with torch.inference_mode():
        sides, plain = (denoise(model, *prompts, x, sigma) for model in (patched, loaded[0]))
    vectors, expressions = (torch.cat([one, torch.zeros_like(one)]) for one in (identity.embeddings, shown))
    with torch.no_grad():
        options = adapter.options(adapter.tokens(expressions))
        noisy = (x / (1 + sigma**2) ** 0.5).expand(2, -1, -1, -1)
        context = encoder.faces(vectors)
        wanted = network(noisy, times.expand(2), context, transformer_options=options)
    for found, bare, noise in zip(sides, plain, wanted, strict=True):
        # The host keeps text encoders in half precision.
        assert ((x - found)[0] / sigma - noise).abs().max() < 1e-2 * wanted.abs().max()
        assert (found - bare).abs().max() > 1e-3 * sigma
