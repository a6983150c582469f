"""Keys of one's own prompt once more: against the authors' code, in every layout of rows, and off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.conditioning_golden import Conditioned
from support.fill import fill
from support.golden import Golden, relative_error
from support.sampling import denoise, sample

STORY, NETWORK = Conditioned(), Golden("instantid")
#: The start token and the identity's words.
HELD = 1 + len(STORY.cases["story"]["identity_rows"])
HEADS, KEY = 4, ("middle", 0, 0)
HEIGHT, WIDTH = NETWORK.meta["image_size"]
SIGMA = 1.6

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any) -> SimpleNamespace:
    own_rows = pack.module("likeness.attention.own_rows").OwnRows
    window = pack.module("likeness.attention.use").Window(0.0, 1.0)
    node, model = pack.node("LikenessHoldIdentity"), NETWORK.model()

    def hold(model: Any = model, **inputs: Any) -> Any:
        return node.execute(model=model, **{"identity_tokens": HELD, "tokens": TOKENS, **inputs})[0]

    def source(strength: float = 1.0, length: int = 77) -> Any:
        return own_rows(HELD, length, strength, window)

    return SimpleNamespace(pack=pack, model=model, hold=hold, source=source, window=window)


# ---- one layer, by the authors' numbers


def projected(context: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return context @ STORY["ipca.w.to_k.weight"].T, context @ STORY["ipca.w.to_v.weight"].T


def after_layer(out: torch.Tensor) -> torch.Tensor:
    return out @ STORY["ipca.w.to_out.0.weight"].T + STORY["ipca.w.to_out.0.bias"]


def layer(room: Any, source: Any, sides: Sequence[int], context: torch.Tensor) -> torch.Tensor:
    """What the layer gives for chunks of rows of these sides (0 is positive), before to_out."""
    engine = room.pack.module("likeness.attention.engine")
    attention = room.pack.module("likeness.host").attention.base_attention
    hidden = STORY["ipca.hidden"]
    q = torch.cat([hidden[1 - side][None] for side in sides]) @ STORY["ipca.w.to_q.weight"].T
    patch = engine.SitePatch(("attn2", KEY), (source,) if source else (), attention)
    options = {"cond_or_uncond": list(sides), "n_heads": HEADS, "attn_precision": None}
    made: torch.Tensor = patch(q, *projected(context), options)
    return made


def prompts(sides: Sequence[int]) -> torch.Tensor:
    return torch.cat([STORY["ipca.negative" if side else "ipca.story"] for side in sides])


@dataclass(frozen=True, eq=False)
class Stored:
    """The authors' form: keys and values that another prompt gave."""

    keys: torch.Tensor
    values: torch.Tensor
    extra_of: Any
    window: Any
    constants: str = ""

    def extra(self, view: Any, rows: Any, place: Any) -> Any:
        return self.extra_of(self.keys, self.values) if view.role == "positive" else None

    def prepare(self, *_: Any) -> None: ...

    def cleanup(self) -> None: ...


def test_keys_of_another_prompt_are_the_authors_picture(room: Any) -> None:
    extra = room.pack.module("likeness.attention.sources").Extra
    stored = Stored(*projected(STORY["ipca.identity"][:, :HELD]), extra, room.window)
    made = after_layer(layer(room, stored, [1, 0], prompts([1, 0])))
    assert relative_error(made, STORY["ipca.free.out"]) <= 1e-5


def test_own_rows_are_what_the_authors_code_gives_when_the_prompt_begins_so(room: Any) -> None:
    made = after_layer(layer(room, room.source(), [1, 0], prompts([1, 0])))
    assert relative_error(made, STORY["ipca.causal.out"]) <= 1e-5
    plain = after_layer(layer(room, None, [1], prompts([1])))
    for golden in ("ipca.free.out", "ipca.causal.out"):
        assert relative_error(plain[0], STORY[golden][0]) <= 1e-5


def wanted(sides: Sequence[int], strength: float, repeats: int = 1) -> torch.Tensor:
    """The formula: ln(1 + strength) on the held tokens of positive rows."""
    k, v = (x.repeat(1, repeats, 1) for x in projected(prompts(sides)))
    hidden = torch.cat([STORY["ipca.hidden"][1 - side][None] for side in sides])
    q = hidden @ STORY["ipca.w.to_q.weight"].T
    q, k, v = (x.unflatten(-1, (HEADS, -1)).transpose(1, 2).double() for x in (q, k, v))
    logits = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    held = (torch.arange(k.shape[2]) % 77 < HELD)[None, None, None]
    positive = torch.tensor([side == 0 for side in sides])[:, None, None, None]
    logits += torch.log1p(torch.tensor(strength)) * (held & positive)
    return (logits.softmax(-1) @ v).transpose(1, 2).flatten(2).float()


@pytest.mark.parametrize("strength", [1.0, 0.5, 3.0])
@pytest.mark.parametrize("sides", [[0], [1], [1, 0], [0, 1], [0, 0, 1], [1, 0, 1, 0]], ids=str)
def test_every_layout_of_rows(room: Any, sides: list[int], strength: float) -> None:
    found = layer(room, room.source(strength), sides, prompts(sides))
    assert relative_error(found, wanted(sides, strength)) <= 1e-6


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_a_prompt_that_stands_there_twice(room: Any, strength: float) -> None:
    """Without the host's wrappers its length tells; a length that fits nothing means the first copy."""
    sides = [1, 0]
    twice = prompts(sides).repeat(1, 2, 1)
    found = layer(room, room.source(strength), sides, twice)
    assert relative_error(found, wanted(sides, strength)) <= 1e-6
    longer = torch.cat([prompts(sides), prompts(sides)[:, :5]], dim=1)
    by_hand = torch.cat([longer, longer[:, :HELD]], dim=1)[1:]
    found = layer(room, room.source(), sides, longer)[1:]
    assert relative_error(found, layer(room, None, [0], by_hand)) <= 1e-6


# ---- in the host


TOKENS = NETWORK["in.positive"].shape[1]


def copied(prompt: list[Any], copies: int = 1) -> list[Any]:
    """R1: the rows behind the prompt once more, without a change to the MODEL."""
    return [[torch.cat([x, *[x[:, :HELD]] * copies], dim=1), facts] for x, facts in prompt]


def longer(prompt: list[Any]) -> list[Any]:
    """Two sections."""
    return [[torch.cat([x, x.flip(1)], dim=1), facts] for x, facts in prompt]


POSITIVE, NEGATIVE = (NETWORK.conditioning(side) for side in ("positive", "negative"))
ANOTHER = [[POSITIVE[0][0].flip(2), POSITIVE[0][1]]]
PART = [[ANOTHER[0][0], {**ANOTHER[0][1], "area": (HEIGHT // 16, WIDTH // 8, 0, 0), "strength": 1.0}]]
LAYOUTS: dict[str, tuple[list[Any], list[Any], int, float]] = {
    "positive and negative": (POSITIVE, NEGATIVE, 1, 5.0),
    "cfg 1": (POSITIVE, NEGATIVE, 1, 1.0),
    "two positives": ([*POSITIVE, *ANOTHER], NEGATIVE, 1, 5.0),
    "a positive for a part": ([*POSITIVE, *PART], NEGATIVE, 1, 5.0),
    "two pictures": (POSITIVE, NEGATIVE, 2, 5.0),
    "a longer negative": (POSITIVE, longer(NEGATIVE), 1, 5.0),
    "a longer negative, two pictures": (POSITIVE, longer(NEGATIVE), 2, 5.0),
    "positives of two lengths": ([*POSITIVE, *longer(ANOTHER)], NEGATIVE, 2, 5.0),
}


def pictures(count: int) -> torch.Tensor:
    return fill("pictures", (count, 4, HEIGHT // 8, WIDTH // 8)) * 3


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_patched_model_draws_what_copied_rows_draw(room: Any, name: str, copies: int) -> None:
    positive, negative, count, cfg = LAYOUTS[name]
    x = pictures(count)
    by_rows = denoise(room.model, copied(positive, copies), negative, x, SIGMA, cfg)
    by_model = denoise(room.hold(strength=float(copies)), positive, negative, x, SIGMA, cfg)
    plain = denoise(room.model, positive, negative, x, SIGMA, cfg)
    assert relative_error(by_model[0], by_rows[0]) <= 1e-5
    assert relative_error(by_model[0], plain[0]) > 1e-4
    assert torch.allclose(by_model[1], plain[1], rtol=0, atol=1e-5)  # cfg 1 asks for no negative: zeros


def test_several_steps_agree(room: Any) -> None:
    noise = fill("noise", (1, 4, HEIGHT // 8, WIDTH // 8)) * 10
    by_rows = sample(room.model, copied(POSITIVE), NEGATIVE, noise, steps=4)
    assert relative_error(sample(room.hold(), POSITIVE, NEGATIVE, noise, steps=4), by_rows) <= 1e-5


@pytest.mark.parametrize("given", [{"strength": 0.0}, {"start": 0.4, "end": 0.4}], ids=str)
def test_nothing_is_the_model_itself(room: Any, given: dict[str, float]) -> None:
    assert room.hold(**given) is room.model


def test_outside_of_its_window_nothing_changes_to_the_bit(room: Any) -> None:
    x = pictures(1)
    plain = denoise(room.model, POSITIVE, NEGATIVE, x, SIGMA)
    for early in (room.hold(end=0.01), room.hold(start=0.99)):
        found = denoise(early, POSITIVE, NEGATIVE, x, SIGMA)
        assert all(torch.equal(one, other) for one, other in zip(found, plain, strict=True))


def test_three_runs_are_one_and_other_branches_stay(room: Any) -> None:
    x = pictures(1)
    plain = denoise(room.model, POSITIVE, NEGATIVE, x, SIGMA)[0]
    held = room.hold()
    first, *others = (denoise(held, POSITIVE, NEGATIVE, x, SIGMA)[0] for _ in range(3))
    assert all(torch.equal(first, other) for other in others)
    assert torch.equal(denoise(room.model, POSITIVE, NEGATIVE, x, SIGMA)[0], plain)


def test_parts_of_the_network(room: Any) -> None:
    """Each part draws something else, and all parts by name draw what all draws."""
    x = pictures(1)

    def drawn(*blocks: str) -> torch.Tensor:
        return denoise(room.hold(blocks=list(blocks)), POSITIVE, NEGATIVE, x, SIGMA)[0]

    every = drawn("all")
    parts = [drawn(name) for name in ("down", "middle", "up")]
    for number, part in enumerate(parts):
        assert all(relative_error(part, other) > 1e-6 for other in (every, *parts[:number]))
    assert torch.equal(drawn("down", "middle", "up"), every)
    assert torch.equal(drawn("all", "down"), every)


def test_twice_is_three_times_the_weight_more(room: Any) -> None:
    """Both add to what is there: 1 + 1 + 1."""
    x = pictures(1)
    twice = denoise(room.hold(room.hold()), POSITIVE, NEGATIVE, x, SIGMA)[0]
    assert relative_error(twice, denoise(room.hold(strength=2.0), POSITIVE, NEGATIVE, x, SIGMA)[0]) <= 1e-5


# ---- bad input


def said(room: Any, **inputs: Any) -> str:
    with pytest.raises(ValueError) as error:
        room.hold(**inputs)
    return str(error.value)


def test_more_rows_than_the_prompt_has(room: Any) -> None:
    text = said(room, identity_tokens=78, tokens=77)
    assert text == (
        "identity_tokens is 78, but the prompt has 77 rows: connect identity_tokens of Story Prompt."
    )
    assert "identity_tokens is 0" in said(room, identity_tokens=0)


def test_unknown_parts(room: Any) -> None:
    assert said(room, blocks=["top"]) == "blocks must be some of all, down, middle, up, not top."
    assert said(room, blocks=[]).endswith("not none.")


def test_a_strength_below_0(room: Any) -> None:
    assert said(room, strength=-0.5).startswith("strength is -0.5: it can't be less than 0")


def test_a_window_that_runs_backwards(room: Any) -> None:
    assert "start (0.6) is after end (0.5)" in said(room, start=0.6, end=0.5)


def test_a_model_without_cross_attention(room: Any) -> None:
    from support.tiny_flux import flux_model

    assert "which has no U-Net with cross-attention: Hold Identity needs SDXL" in said(
        room, model=flux_model()
    )
