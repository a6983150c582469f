"""What FreeCure does in the blocks of a tiny real Flux. Spec: B.2 DiT form, B.8 (B14)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.flux_formula import SIZE, formula, rotated
from support.flux_runs import BLOCKS, GRID, TEXT, TOKENS, Room, Watch, block_of, differ, on_grid, once, run
from support.golden import relative_error
from support.tiny_flux import HEADS, flux_prompt

MODES = ("code", "paper", "paper_masked")

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any) -> Room:
    return Room(pack)


@pytest.mark.parametrize("masks", [1, 2])
@pytest.mark.parametrize("mode", MODES)
def test_every_block_computes_the_formula(room: Room, mode: str, masks: int) -> None:
    noise = torch.randn(masks, *room.noise.shape[1:], generator=torch.Generator().manual_seed(4))
    mask = room.mask if masks == 1 else room.two_masks()
    prompts = {"foundation_positive": flux_prompt(5, tokens=7)}
    own, other = room.watched(noise, mask=mask, mode=mode, strength=1.7, **prompts)
    assert list(own.out) == BLOCKS == list(other.out)
    for block in BLOCKS:
        given, theirs = own.given[block], other.given[block]
        assert (given.text, theirs.text) == (TEXT, 7)
        wanted = formula(given, theirs, on_grid(mask), mode, 1.7)
        assert relative_error(own.out[block].double(), wanted) < 1e-6, block
        nothing = torch.zeros_like(on_grid(mask)).expand(masks, -1)
        assert relative_error(other.out[block].double(), formula(theirs, theirs, nothing, "code", 0)) < 1e-6


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_text_rows_of_the_output_are_the_hosts_own(room: Room, number: int, mode: str) -> None:
    """Only one block looks, so that it is given what it is given without a repair."""
    repaired, _ = room.watched(layers=str(number), mode=mode)
    alone, _ = room.watched(mask=None)
    block, text = BLOCKS[number], repaired.given[BLOCKS[number]].text
    assert torch.equal(repaired.given[block].k, alone.given[block].k)
    assert torch.equal(repaired.out[block][:, :text], alone.out[block][:, :text])
    assert differ(repaired.out[block][:, text:], alone.out[block][:, text:])


def test_kept_keys_are_turned_to_the_same_places(room: Room) -> None:
    kept: dict[Any, Any] = {}
    personalised, other = room.personalised.clone(), Watch()

    def peek(q: Any, k: Any, v: Any, extra_options: Any = None, **_: Any) -> Any:
        block = block_of(extra_options)
        kept[block] = guider.tokens.of(BLOCKS.index(block), "positive")
        return {}

    personalised.set_model_attn1_patch(peek)
    guider = room.guide(personalised=personalised, foundation=other.on(room.base))
    once(guider, room.noise)
    inside = on_grid(room.mask)[0]
    for block in BLOCKS:
        given, tokens = other.given[block], kept[block]
        wanted = rotated(given.k, given.text)[:, :, given.text :][:, :, inside]
        assert tokens.keys.shape == (1, HEADS, int(inside.sum()), SIZE)
        assert relative_error(tokens.keys.double(), wanted) < 1e-6
        assert torch.equal(tokens.values, given.v[:, :, given.text :][:, :, inside])


def test_other_patches_of_the_output_work_on_the_repaired_one(room: Room) -> None:
    twice = room.personalised.clone()
    twice.set_model_attn1_output_patch(lambda out, options: 2 * out)
    doubled, _ = room.watched(personalised=twice, layers="0")
    single, _ = room.watched(layers="0")
    block = BLOCKS[0]
    assert torch.equal(doubled.out[block], 2 * single.out[block])


def test_reference_pictures_neither_look_nor_are_looked_at(room: Room) -> None:
    reference = torch.randn(1, 16, 4, 4, generator=torch.Generator().manual_seed(8))
    facts = {"reference_latents": [reference]}
    prompts = {"positive": flux_prompt(1, **facts), "foundation_positive": flux_prompt(1)}
    block, end = BLOCKS[2], TOKENS
    repaired, _ = room.watched(layers="2", **prompts)
    alone, _ = room.watched(mask=None, **prompts)
    assert repaired.out[block].shape[1] == end + 4
    assert torch.equal(repaired.out[block][:, end:], alone.out[block][:, end:])
    assert differ(repaired.out[block][:, TEXT:end], alone.out[block][:, TEXT:end])
    kept = []
    for given in (facts, {}):
        guider = room.guide(foundation_positive=flux_prompt(1, **given))
        run(guider, room.noise)
        kept.append(guider.tokens.most_bytes)
    assert kept[0] == kept[1] > 0


@pytest.mark.parametrize("mode", ["code", "paper_masked"])
@pytest.mark.parametrize("whose", ["prompt", "patch"])
def test_an_attention_mask_holds_on(room: Room, mode: str, whose: str) -> None:
    """The picture does not see the first two text tokens: as style models write it, and as a patch may."""
    seen = torch.ones(1, TOKENS, TOKENS, dtype=torch.bool)
    seen[:, TEXT:, :2] = False
    model, facts = room.personalised.clone(), {}
    if whose == "patch":
        model.set_model_attn1_patch(lambda q, k, v, **_: {"attn_mask": seen})
    else:
        facts = {"attention_mask": -1e4 * (~seen).float(), "attention_mask_img_shape": GRID}
    positive, plain_one = flux_prompt(1, **facts), flux_prompt(1)
    own, other = room.watched(
        personalised=model, mode=mode, positive=positive, foundation_positive=plain_one, layers="0"
    )
    given, theirs = own.given[BLOCKS[0]], other.given[BLOCKS[0]]
    # The formula with two keys less.
    parts = {name: getattr(given, name)[:, :, 2:] for name in ("q", "k", "v")}
    shorter = SimpleNamespace(**parts, text=TEXT - 2)
    wanted = formula(shorter, theirs, on_grid(room.mask), mode, 1.5)[:, TEXT - 2 :]
    assert relative_error(own.out[BLOCKS[0]][:, TEXT:].double(), wanted) < 1e-6
