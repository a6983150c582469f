"""FreeCure after other adapters than InstantID, on the tiny SD1.5 networks. Spec B.8: B1, B2, B16."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.foreign import add_foreign
from support.golden import relative_error
from support.sampling import sample

SIZE = 128

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(host: Any, pack: Any) -> SimpleNamespace:
    """Arc2Face, and what each adapter makes of it: (personalised, foundation)."""

    def run(node: str, **inputs: Any) -> Any:
        return pack.node(node).execute(**inputs).result

    values = pack.module("likeness.values")
    files = {"unet_file": "tiny_arc2face.safetensors", "encoder_file": "tiny_arc2face_encoder.safetensors"}
    model, clip = run("LikenessLoadArc2Face", **files)
    identity = values.Identity(torch.linspace(-1, 1, 512)[None], "arc2face")
    positive, negative = run("LikenessEncodeArc2Face", clip=clip, identity=identity)
    (adapter,) = run("LikenessLoadExpressionAdapter", file="tiny_expression.safetensors")

    def express(model: Any, amount: float) -> Any:
        expression = values.Expression(torch.full((1, 55), amount))
        inputs = {"expression_adapter": adapter, "expression": expression, "weight": 3.0}
        return run("LikenessApplyExpression", model=model, **inputs)[0]

    sites = pack.module("likeness.attention.sites").attention_sites(model.model.diffusion_model)
    keys = [site.key for site in sites]
    adapters = {
        "expression": (express(model, 2.0), express(model, 0.0)),
        "foreign": (add_foreign(model, keys), model),
        "both": (add_foreign(express(model, 2.0), keys), model),
    }
    noise = 14.6 * torch.randn(1, 4, SIZE // 8, SIZE // 8, generator=torch.Generator().manual_seed(3))
    mask = torch.zeros(1, SIZE, SIZE)
    mask[:, : SIZE // 2] = 1

    def guide(name: str, **inputs: Any) -> Any:
        personalised, foundation = adapters[name]
        given = {"personalised": personalised, "foundation": foundation, "mask": mask, "strength": 0.5}
        given |= {"positive": positive, "negative": negative, "cfg": 3.0}
        return run("LikenessFreeCureGuider", **{**given, **inputs})[0]

    return SimpleNamespace(adapters=adapters, prompts=(positive, negative), noise=noise, guide=guide)


def repaired(guider: Any, noise: torch.Tensor) -> torch.Tensor:
    import comfy.samplers

    sampling = guider.model_patcher.get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(sampling, "normal", 3)
    sampler = comfy.samplers.sampler_object("euler")
    return guider.sample(noise, torch.zeros_like(noise), sampler, sigmas, disable_pbar=True, seed=0)


@pytest.mark.parametrize("name", ["expression", "foreign", "both"])
def test_each_half_keeps_its_adapter_and_looks_when_asked(room: Any, name: str) -> None:
    personalised, foundation = (sample(m, *room.prompts, room.noise, 3.0) for m in room.adapters[name])
    assert relative_error(personalised, foundation) > 1e-3
    guider = room.guide(name)
    found = repaired(guider, room.noise)
    assert relative_error(guider.foundation_latent, foundation) < 1e-6
    assert relative_error(found, personalised) > 1e-4
    # Without a mask the adapter's own picture is there, wholly: its attention was not bypassed.
    assert torch.equal(repaired(room.guide(name, mask=None), room.noise), personalised)
    again = sample(room.adapters[name][0], *room.prompts, room.noise, 3.0)
    assert torch.equal(again, personalised)
