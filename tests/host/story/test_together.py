"""A held story beside an identity: in either order, and each keeps its part."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support import instantid_files
from support.fill import fill
from support.golden import Golden, relative_error
from support.sampling import denoise

GOLDEN = Golden("instantid")
HEIGHT, WIDTH = GOLDEN.meta["image_size"]
HELD, SIGMA = 9, 1.6

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any) -> SimpleNamespace:
    model = GOLDEN.model()
    sites = pack.module("likeness.attention.sites").attention_sites(model.model.diffusion_model)
    width = GOLDEN.meta["unet_config"]["context_dim"]
    content = instantid_files.adapter((site.hidden for site in sites), width, GOLDEN.meta["resampler"])
    adapter = pack.module("likeness.methods.instantid").parse(content, {}, "tiny")
    identity = pack.module("likeness.values").Identity(GOLDEN["in.face_embedding"], "glintr100")
    prompts = {side: GOLDEN.conditioning(side) for side in ("positive", "negative")}

    def identify(model: Any) -> Any:
        given = {"model": model, "instantid": adapter, "identity": identity, **prompts}
        return pack.node("LikenessApplyInstantID").execute(**given)[0]

    def hold(model: Any, strength: float = 1.0) -> Any:
        node = pack.node("LikenessHoldIdentity")
        return node.execute(model=model, identity_tokens=HELD, strength=strength)[0]

    x = fill("pictures", (2, 4, HEIGHT // 8, WIDTH // 8)) * 3

    def drawn(model: Any, prompt: Any = prompts["positive"]) -> torch.Tensor:
        return torch.cat(denoise(model, prompt, prompts["negative"], x, SIGMA))

    return SimpleNamespace(model=model, identify=identify, hold=hold, drawn=drawn, **prompts)


def test_before_or_after_an_identity_is_the_same(room: Any) -> None:
    before = room.drawn(room.identify(room.hold(room.model)))
    after = room.drawn(room.hold(room.identify(room.model)))
    assert torch.equal(before, after)
    for alone in (room.hold(room.model), room.identify(room.model)):
        assert relative_error(before, room.drawn(alone)) > 1e-4


@pytest.mark.parametrize("copies", [1, 2])
def test_an_identity_hears_what_copied_rows_say(room: Any, copies: int) -> None:
    """The identity's own tokens are held by nobody: only the prompt's rows weigh more."""
    prompt = [[torch.cat([x, *[x[:, :HELD]] * copies], dim=1), facts] for x, facts in room.positive]
    model = room.identify(room.model)
    held = room.drawn(room.hold(model, float(copies)))
    assert relative_error(held, room.drawn(model, prompt)) <= 1e-5


def test_strength_0_beside_an_identity_is_that_identity(room: Any) -> None:
    model = room.identify(room.model)
    assert room.hold(model, 0.0) is model
