"""MasterWeaver through our nodes in the host, against the authors' run. consistentid_masterweaver.md 2."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support import masterweaver
from support.fill import fill_state
from support.golden import Golden, relative_error
from support.sampling import denoise

TOLERANCE = 1e-5
GOLDEN = Golden("masterweaver")

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def vision(host: Any) -> Any:
    """The golden's CLIP, in float32: the host makes its vision models in half precision."""
    import comfy.clip_vision

    config = {**GOLDEN.meta["image_encoder"], "model_type": "clip_vision_model", "num_channels": 3}
    clip = comfy.clip_vision.ClipVisionModel({**config, "layer_norm_eps": 1e-5})
    clip.model.float()
    clip.load_sd(fill_state(clip.model.state_dict(), "image_encoder."))
    return clip


@pytest.fixture(scope="module")
def room(pack: Any, vision: Any) -> SimpleNamespace:
    layout, methods = GOLDEN.meta["layout"], pack.module("likeness.methods.masterweaver")
    content = masterweaver.content(layout["id_encoder"], layout["adapter_modules"])
    adapter, pictures = methods.parse(content, {}, "golden"), GOLDEN["in.pictures"]
    tokens = {n: methods.encode(adapter, vision, pictures[:n]) for n in range(1, 5)}
    return SimpleNamespace(adapter=adapter, tokens=tokens, model=GOLDEN.model("SD15"))


def test_states_are_the_authors(pack: Any, vision: Any) -> None:
    module = pack.module("likeness.adapters.vision")
    assert (
        relative_error(module.picture_states(vision, GOLDEN["in.pictures"]), GOLDEN["in.states"]) <= TOLERANCE
    )
    zero = module.zero_state(vision, 96, "golden")
    assert relative_error(zero, GOLDEN["in.zero_state"]) <= TOLERANCE
    assert module.zero_state(vision, 96, "golden") is zero  # once


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_tokens_are_the_authors(room: SimpleNamespace, count: int) -> None:
    tokens = room.tokens[count]
    assert relative_error(tokens.somebody, GOLDEN[f"out.identity_{count}"]) <= TOLERANCE
    assert relative_error(tokens.nobody, GOLDEN["out.zero_block"]) <= TOLERANCE


def test_prepared_pictures_pass_unchanged(pack: Any, vision: Any, room: SimpleNamespace) -> None:
    """The node, shown what the authors had prepared, leaves it as it is."""
    shown = GOLDEN["in.pictures"][:2].float() / 255
    given = {"clip_vision": vision, "images": {"image_0": shown}, "align": "none"}
    node = pack.node("LikenessEncodeMasterWeaver")
    tokens, prepared = node.execute(masterweaver=room.adapter, **given)
    assert torch.equal((prepared * 255).round().to(torch.uint8).cpu(), GOLDEN["in.pictures"][:2])
    assert relative_error(tokens.somebody, GOLDEN["out.identity_2"]) <= TOLERANCE


@pytest.mark.parametrize("case", GOLDEN.meta["cases"], ids=lambda case: str(case["name"]))
def test_noise_is_the_authors(pack: Any, room: SimpleNamespace, case: dict[str, Any]) -> None:
    """Negative rows look at 16 tokens; the authors' at 48, or 64 of them, in equal blocks."""
    model, sigma = room.model, case["sigma"]
    if case["references"]:
        given = {"masterweaver": room.adapter, "masterweaver_tokens": room.tokens[case["references"]]}
        model = pack.node("LikenessApplyMasterWeaver").execute(model=model, weight=case["weight"], **given)[0]
    positive, negative = ([[GOLDEN[f"in.{side}"], {}]] for side in ("positive", "negative"))
    x = GOLDEN["in.x"] * (1 + sigma**2) ** 0.5
    found = denoise(model, positive, negative, x, sigma)
    for denoised, side in zip(found, ("cond", "uncond"), strict=True):
        wanted = GOLDEN[f"out.{case['name']}.{side}"]
        assert relative_error((x - denoised) / sigma, wanted) <= TOLERANCE, side
