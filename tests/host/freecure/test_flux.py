"""What FreeCure's guider promises on a tiny real Flux in the real host. Spec: B.8."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.flux_formula import SIZE
from support.flux_runs import (
    BLOCKS,
    GRID,
    HEIGHT,
    STEPS,
    TEXT,
    TOKENS,
    WIDTH,
    Room,
    block_of,
    differ,
    on_grid,
    once,
    plain,
    run,
)
from support.golden import relative_error
from support.tiny_flux import HEADS, flux_prompt

MODES = ("code", "paper", "paper_masked")

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any) -> Room:
    return Room(pack)


# B1, B2: what is not repaired is what the host would have drawn


@pytest.mark.parametrize("mask", [None, torch.zeros(1, HEIGHT, WIDTH)], ids=["absent", "empty"])
@pytest.mark.parametrize("mode", ["code", "paper_masked"])
def test_without_a_mask_every_step_is_the_personalised_models_own(room: Room, mask: Any, mode: str) -> None:
    steps: list[list[torch.Tensor]] = [[], []]

    def note(kept: list[torch.Tensor]) -> Callable[..., None]:
        return lambda step, denoised, x, total: kept.extend([denoised.clone(), x.clone()])

    found = run(room.guide(mask=mask, mode=mode), room.noise, callback=note(steps[0]))
    wanted = plain(room.personalised, room.noise, callback=note(steps[1]))
    # The foundation's steps come first.
    assert torch.equal(found, wanted) and len(steps[0]) == 2 * len(steps[1]) == 4 * STEPS
    assert all(torch.equal(a, b) for a, b in zip(steps[0][2 * STEPS :], steps[1], strict=True))


@pytest.mark.parametrize("cfg", [1.0, 3.0])
@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral", "dpmpp_2m"])
def test_the_foundation_is_what_it_would_be_alone(room: Room, sampler: str, cfg: float) -> None:
    guider = room.guide(cfg=cfg)
    repaired = run(guider, room.noise, sampler)
    assert relative_error(guider.foundation_latent, plain(room.base, room.noise, cfg, sampler=sampler)) < 1e-6
    assert differ(repaired, plain(room.personalised, room.noise, cfg, sampler=sampler))


def test_a_window_acts_in_its_steps_only(room: Room) -> None:
    seen: dict[str, list[torch.Tensor]] = {"late": [], "plain": []}

    def note(name: str) -> Callable[..., None]:
        return lambda step, denoised, x, total: seen[name].append(denoised.clone())

    run(room.guide(start=0.5), room.noise, steps=4, callback=note("late"))
    plain(room.personalised, room.noise, steps=4, callback=note("plain"))
    same = [torch.equal(a, b) for a, b in zip(seen["late"][4:], seen["plain"], strict=True)]
    assert same[0] and not same[-1]


# B3, B4: limits


ITSELF = [("code", 0.0), ("code", 1.5), ("paper", 1.0), ("paper_masked", 1.0)]


def itself(room: Room) -> dict[str, Any]:
    return {"personalised": room.base, "foundation": room.base, "mask": torch.ones(1, HEIGHT, WIDTH)}


@pytest.mark.parametrize(("mode", "strength"), ITSELF)
def test_looking_at_itself_changes_nothing_where_the_picture_does_not_see_the_text(
    room: Room, mode: str, strength: float
) -> None:
    """Every key that the picture sees is there twice."""
    blind = torch.zeros(1, TOKENS, TOKENS)
    blind[:, TEXT:, :TEXT] = -1e4
    prompt = flux_prompt(1, attention_mask=blind, attention_mask_img_shape=GRID)
    found = run(room.guide(**itself(room), mode=mode, strength=strength, positive=prompt), room.noise)
    assert relative_error(found, plain(room.base, room.noise, positive=prompt)) < 1e-5


@pytest.mark.parametrize("number", range(len(BLOCKS)))
@pytest.mark.parametrize(("mode", "strength"), ITSELF)
def test_looking_at_itself_weighs_the_picture_against_the_text(
    room: Room, mode: str, strength: float, number: int
) -> None:
    """Picture keys are there twice and text keys once: in one block, an attention mask says the same."""
    added = torch.tensor(strength if mode == "code" else 0.0)

    def weigh(q: Any, k: Any, v: Any, extra_options: Any = None, **_: Any) -> dict[str, torch.Tensor]:
        if block_of(extra_options) != BLOCKS[number]:
            return {}
        mask = torch.zeros(TOKENS, TOKENS)
        mask[TEXT:, TEXT:] = added.exp().log1p()
        return {"attn_mask": mask}

    weighed = room.base.clone()
    weighed.set_model_attn1_patch(weigh)
    found, _ = room.watched(**itself(room), mode=mode, strength=strength, layers=str(number))
    wanted, alone = (
        room.watched(personalised=model, mask=None)[0].out[BLOCKS[-1]] for model in (weighed, room.base)
    )
    assert relative_error(found.out[BLOCKS[-1]], wanted) < 1e-5
    assert differ(wanted, alone)


def test_a_very_negative_strength_is_the_personalised_model(room: Room) -> None:
    found = run(room.guide(strength=-30.0), room.noise)
    assert relative_error(found, plain(room.personalised, room.noise)) < 1e-6


# B6, B11: rows


def rows_of(room: Room, **inputs: Any) -> dict[str, torch.Tensor]:
    """What the personalised rows denoise to in one call with cfg 3."""
    seen: dict[str, torch.Tensor] = {}
    model = room.personalised.clone()

    def keep(args: dict[str, Any]) -> torch.Tensor:
        seen.update(positive=args["cond_denoised"].clone(), negative=args["uncond_denoised"].clone())
        return args["denoised"]

    model.set_model_sampler_post_cfg_function(keep)
    once(room.guide(personalised=model, cfg=3.0, **inputs), room.noise)
    return seen


def test_the_negative_row_is_left_alone_or_blended(room: Room) -> None:
    alone, published = rows_of(room, mask=None), rows_of(room)
    assert differ(published["positive"], alone["positive"])
    assert torch.equal(published["negative"], alone["negative"])
    full = rows_of(room, style_fidelity=0.0)
    assert differ(full["negative"], alone["negative"])
    assert relative_error(full["positive"], published["positive"]) < 1e-6
    # In one block that looks, the output of the attention is blended.
    blocks = []
    for fidelity in (1.0, 0.25, 0.0):
        own, _ = room.watched(cfg=3.0, style_fidelity=fidelity, layers="1")
        blocks.append(own.out[BLOCKS[1]])
    wanted = torch.lerp(blocks[0], blocks[2], 0.75)
    assert relative_error(blocks[1], torch.cat([wanted[:1], blocks[0][1:]])) < 1e-6
    assert differ(blocks[0][:1], blocks[2][:1])


def test_prompts_of_other_lengths_go_apart(room: Room) -> None:
    longer = flux_prompt(2, tokens=9)
    together, apart = (
        rows_of(room, style_fidelity=0.5, negative=negative)["positive"]
        for negative in (flux_prompt(2), longer)
    )
    assert relative_error(apart, together) < 1e-5


@pytest.mark.parametrize("mode", MODES)
def test_each_picture_of_a_batch_is_what_it_would_be_alone(room: Room, mode: str) -> None:
    noises = torch.randn(2, *room.noise.shape[1:], generator=torch.Generator().manual_seed(5))
    masks, more = room.two_masks(), {"mode": mode, "cfg": 3.0, "style_fidelity": 0.5}
    guider = room.guide(mask=masks, **more)
    both = run(guider, noises)
    for n in range(2):
        single = room.guide(mask=masks[n : n + 1], **more)
        assert relative_error(both[n : n + 1], run(single, noises[n : n + 1])) < 1e-5
        assert relative_error(guider.foundation_latent[n : n + 1], single.foundation_latent) < 1e-5


# B13: the store


class Stopped(BaseException):
    """As the host's cancel: not an Exception."""


@pytest.mark.parametrize("error", [None, ValueError, Stopped])
def test_nothing_is_kept_after_a_run(room: Room, error: Any) -> None:
    calls = []

    def fail(out: torch.Tensor, options: Any) -> torch.Tensor:
        calls.append(None)
        if error is not None and len(calls) == 6:
            raise error
        return out

    personalised = room.personalised.clone()
    personalised.set_model_attn1_output_patch(fail)
    guider = room.guide(personalised=personalised)
    if error is None:
        run(guider, room.noise)
    else:
        with pytest.raises(error):
            run(guider, room.noise)
    tokens = guider.tokens
    assert len(tokens) == 0 and tokens.bytes == 0
    # Keys and values, float32, of the masked tokens in four blocks.
    assert tokens.most_bytes == 2 * 4 * len(BLOCKS) * int(on_grid(room.mask).sum()) * HEADS * SIZE
    assert not guider.looking.mask._chosen


def test_running_again_gives_the_same_and_changes_no_model(room: Room) -> None:
    before = plain(room.personalised, room.noise), plain(room.base, room.noise)
    guider = room.guide()
    assert torch.equal(run(guider, room.noise), run(guider, room.noise))
    assert torch.equal(before[0], plain(room.personalised, room.noise))
    assert torch.equal(before[1], plain(room.base, room.noise))


# The foundation's run, kept


@pytest.mark.parametrize(("sampler", "cfg", "fidelity"), [("euler", 1.0, 1.0), ("heun", 3.0, 0.5)])
def test_a_kept_foundation_gives_the_same_picture(
    room: Room, sampler: str, cfg: float, fidelity: float
) -> None:
    passed: list[Any] = []
    foundation = room.base.clone()

    def count(out: torch.Tensor, options: Any) -> torch.Tensor:
        passed.append(block_of(options))
        return out

    foundation.set_model_attn1_output_patch(count)
    freecure = room.pack.module("likeness.methods.freecure.repair")
    prompts = freecure.Prompts(flux_prompt(1), flux_prompt(2))
    repair = freecure.Repair(layers="0-1", style_fidelity=fidelity, experimental=True)
    first = freecure.foundation_guider(foundation, prompts, cfg)
    run(first, room.noise, sampler)
    assert set(passed) == set(BLOCKS)
    passed.clear()
    second = freecure.guider(room.personalised, foundation, prompts, cfg, repair, room.mask, first.trajectory)
    found = run(second, room.noise, sampler)
    # What follows the last block that is looked at is left out.
    assert set(passed) == {BLOCKS[0]}
    guider = room.guide(layers="0-1", cfg=cfg, style_fidelity=fidelity)
    assert relative_error(found, run(guider, room.noise, sampler)) < 1e-5
    assert relative_error(second.foundation_latent, guider.foundation_latent) < 1e-5
