"""FreeCure on Flux: what it refuses, which layers there are, and which other patches it works with."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.flux_formula import formula
from support.flux_runs import BLOCKS, HEIGHT, STEPS, WIDTH, Room, differ, on_grid, plain, run
from support.golden import Golden, relative_error
from support.tiny_flux import flux_model

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any) -> Room:
    return Room(pack)


# Other packs' patches


@pytest.mark.parametrize(("mode", "asked"), [("code", False), ("paper_masked", True)])
def test_a_faster_attention_is_asked_for_what_it_can_do(room: Room, mode: str, asked: bool) -> None:
    """It drops masks, as some do; attention with a bias must not go through it."""
    calls: list[bool] = []
    faster = room.personalised.clone()

    def override(attention: Any, q: Any, k: Any, v: Any, *args: Any, mask: Any = None, **more: Any) -> Any:
        calls.append(q.shape[2] != k.shape[2])
        return attention(q, k, v, *args, **more)

    faster.model_options["transformer_options"]["optimized_attention_override"] = override
    own, other = room.watched(personalised=faster, mode=mode)
    assert calls.count(False) == len(BLOCKS) and any(calls) == asked
    for block in BLOCKS:
        wanted = formula(own.given[block], other.given[block], on_grid(room.mask), mode, 1.5)
        assert relative_error(own.out[block].double(), wanted) < 1e-6


def test_a_node_that_runs_the_blocks_itself_is_refused(room: Room) -> None:
    """Some packs exchange Flux's forward for one that tells patches nothing."""

    def wrap(args: dict[str, Any], extra: dict[str, Any]) -> Any:
        silent = {k: v for k, v in args["transformer_options"].items() if k != "block_index"}
        return extra["original_block"]({**args, "transformer_options": silent})

    foundation = room.base.clone()
    foundation.set_model_patch_replace(wrap, "dit", "double_block", 0)
    with pytest.raises(ValueError, match="does not say which it is"):
        run(room.guide(foundation=foundation), room.noise)


def test_a_block_that_another_pack_wraps_is_repaired_all_the_same(room: Room) -> None:
    wrapped, calls = room.personalised.clone(), []

    def wrap(args: dict[str, Any], extra: dict[str, Any]) -> Any:
        calls.append(None)
        return extra["original_block"](args)

    for kind in ("double_block", "single_block"):
        wrapped.set_model_patch_replace(wrap, "dit", kind, 0)
    found = run(room.guide(personalised=wrapped), room.noise)
    assert torch.equal(found, run(room.guide(), room.noise)) and len(calls) == 2 * STEPS


def test_a_foundation_whose_blocks_are_left_out_is_refused(room: Room) -> None:
    skipping = room.base.clone()
    skipping.set_model_patch_replace(lambda args, extra: {"img": args["img"]}, "dit", "single_block", 1)
    with pytest.raises(RuntimeError, match=r"has not been through layer 3 .*leaves out layers"):
        run(room.guide(foundation=skipping), room.noise)


def test_tokens_that_are_left_out_are_named(room: Room) -> None:
    def shorten(args: dict[str, Any]) -> dict[str, Any]:
        return {**args, "img": args["img"][:, :-3], "img_ids": args["img_ids"][:, :-3]}

    merging = room.base.clone()
    merging.set_model_post_input_patch(shorten)
    with pytest.raises(ValueError, match="works on 21 tokens of a 4x6 grid"):
        run(room.guide(personalised=merging), room.noise)


def test_sampling_code_without_the_hosts_wrappers_is_refused(room: Room) -> None:
    stripped = room.base.clone()

    def forget(apply: Any, args: dict[str, Any]) -> torch.Tensor:
        options = {k: v for k, v in args["c"]["transformer_options"].items() if k != "likeness_conds"}
        return apply(args["input"], args["timestep"], **{**args["c"], "transformer_options": options})

    stripped.set_model_unet_function_wrapper(forget)
    with pytest.raises(RuntimeError, match="run without the host's wrappers"):
        run(room.guide(foundation=stripped), room.noise)


def test_sides_that_patches_do_not_divide(room: Room) -> None:
    noise = torch.randn(1, 16, 11, 9, generator=torch.Generator().manual_seed(6))
    mask = torch.zeros(1, 88, 72)
    mask[:, :40] = 1
    alone = plain(room.personalised, noise)
    assert differ(run(room.guide(mask=mask), noise), alone)
    assert relative_error(run(room.guide(mask=mask, strength=-30.0), noise), alone) < 1e-6


#: Flux 2's shape: no pooled prompt, one modulation for all blocks, numbered text, a token per latent pixel.
FLUX2 = {
    "patch_size": 1,
    "vec_in_dim": None,
    "guidance_embed": False,
    "qkv_bias": False,
    "ops_bias": False,
    "mlp_silu_act": True,
    "global_modulation": True,
    "axes_dim": [4, 4, 4, 4],
    "txt_ids_dims": [3],
}


def test_other_versions_of_flux_are_repaired(room: Room) -> None:
    base = flux_model(**FLUX2)
    noise = torch.randn(1, 16, 6, 4, generator=torch.Generator().manual_seed(6))
    own, _ = room.watched(noise, personalised=base, foundation=base, strength=0.0)
    again, _ = room.watched(noise, personalised=base, foundation=base, mask=None)
    assert [own.given[b].q.shape[2] - own.given[b].text for b in BLOCKS] == [24] * len(BLOCKS)
    first, text = BLOCKS[0], own.given[BLOCKS[0]].text
    assert torch.equal(own.out[first][:, :text], again.out[first][:, :text])
    assert all(differ(own.out[block], again.out[block]) for block in BLOCKS)


# Refusals, and U-Nets as before


def test_flux_is_refused_until_it_is_asked_for(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match=r"personalised is Flux\. .*Turn experimental on"):
        room.guide(experimental=False)
    with caplog.at_level("INFO"):
        room.guide()
    assert "follows the paper's text; no code was published" in caplog.text


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"layers": "all_up"}, "Write default, single_only, last_half"),
        ({"layers": "2-4"}, "numbered 0 to 3"),
        ({"mask": torch.ones(1, 64, 128)}, "another shape"),
        ({"mask": torch.ones(3, HEIGHT, WIDTH)}, "3 masks but the batch has 1"),
        ({"foundation": None}, "two loaders"),
    ],
)
def test_bad_input_is_named(room: Room, inputs: Any, words: str) -> None:
    if "foundation" in inputs:
        inputs = {"foundation": flux_model()}
    with pytest.raises(ValueError, match=words):
        run(room.guide(**inputs), room.noise)


@pytest.mark.parametrize("layers", ["single_only", "last_half"])
def test_presets_of_the_tiny_network_are_its_single_blocks(room: Room, layers: str) -> None:
    found = run(room.guide(layers=layers), room.noise)
    assert torch.equal(found, run(room.guide(layers="2-3"), room.noise))
    assert differ(found, run(room.guide(), room.noise))


def test_the_widget_means_nothing_to_sdxl(pack: Any) -> None:
    golden = Golden("instantid")
    model, (height, width) = golden.model(), golden.meta["image_size"]
    noise = torch.randn(1, 4, height // 8, width // 8, generator=torch.Generator().manual_seed(7))
    given = {"positive": golden.conditioning("positive"), "negative": golden.conditioning("negative")}
    found = [
        run(
            pack.node("LikenessFreeCureGuider").execute(
                personalised=model,
                foundation=model,
                cfg=5.0,
                mask=torch.ones(1, height, width),
                **given,
                **more,
            )[0],
            noise,
        )
        for more in ({}, {"experimental": True}, {"experimental": False})
    ]
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])
