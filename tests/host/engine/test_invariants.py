"""What the design promises of the attention engine, on tiny real networks in the real host."""

from __future__ import annotations

import itertools
import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from support import instantid_files
from support.foreign import AddingPatch, add_foreign, foreign
from support.golden import Golden, relative_error
from support.sampling import denoise, sample

GOLDEN = Golden("instantid")
HEIGHT, WIDTH = GOLDEN.meta["image_size"]
SIGMA = 1.6

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any) -> SimpleNamespace:
    """A MODEL, an adapter for it, two identities, and Apply InstantID with the rest filled in."""
    model = GOLDEN.model()
    sites = pack.module("likeness.attention.sites").attention_sites(model.model.diffusion_model)
    width = GOLDEN.meta["unet_config"]["context_dim"]
    content = instantid_files.adapter((site.hidden for site in sites), width, GOLDEN.meta["resampler"])
    adapter = pack.module("likeness.methods.instantid.adapter").parse(content, {}, "tiny")
    values = pack.module("likeness.values")
    generator = torch.Generator().manual_seed(7)
    other = torch.randn(1, 512, generator=generator)
    node = pack.node("LikenessApplyInstantID")

    def apply(model: Any = model, **inputs: Any) -> Any:
        given = {
            "instantid": adapter,
            "identity": values.Identity(GOLDEN["in.face_embedding"], "glintr100"),
            "positive": GOLDEN.conditioning("positive"),
            "negative": GOLDEN.conditioning("negative"),
        }
        return node.execute(model=model, **{**given, **inputs})

    return SimpleNamespace(
        model=model,
        exact=GOLDEN.model(dtype=torch.float64),
        sites=sites,
        adapter=adapter,
        apply=apply,
        other=values.Identity(other, "glintr100"),
        positive=GOLDEN.conditioning("positive"),
        negative=GOLDEN.conditioning("negative"),
        noise=GOLDEN["in.x"] * 14.6,
        engine=pack.module("likeness.attention.engine"),
    )


def run(room: Any, applied: Any, cfg: float = 5.0) -> torch.Tensor:
    return sample(applied[0], applied[1], applied[2], room.noise, cfg)


def plain(room: Any, cfg: float = 5.0) -> torch.Tensor:
    return sample(room.model, room.positive, room.negative, room.noise, cfg)


# Nothing to do: bit-equal


@pytest.mark.parametrize(
    "inputs",
    [
        {"weight": 0.0},
        {"start": 0.4, "end": 0.4},
        {"mask": torch.zeros(1, HEIGHT, WIDTH)},
        {"weight": 0.0, "control": True, "controlnet_strength": 0.0},
        {"mask": torch.zeros(1, HEIGHT, WIDTH), "control": True},
        {"start": 1.0, "end": 1.0, "control": True},
    ],
    ids=[
        "weight 0",
        "empty window",
        "empty mask",
        "both strengths 0",
        "empty mask + control",
        "empty window + control",
    ],
)
def test_nothing_to_do_is_bit_equal(room: Any, inputs: dict[str, Any]) -> None:
    inputs = dict(inputs)
    if inputs.pop("control", False):
        inputs |= {"control_net": GOLDEN.control_net(), "keypoints": GOLDEN["in.kps"]}
    assert torch.equal(run(room, room.apply(**inputs)), plain(room))


def test_outside_its_window_a_patched_model_is_bit_equal(room: Any) -> None:
    applied = room.apply(start=0.0, end=0.1)
    x = GOLDEN["in.x"] * 0.5
    found = denoise(*applied, x, 0.2)
    wanted = denoise(room.model, room.positive, room.negative, x, 0.2)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    inside = denoise(*applied, x, 14.0)
    assert not torch.equal(inside[0], denoise(room.model, room.positive, room.negative, x, 14.0)[0])


def test_the_identity_changes_the_picture(room: Any) -> None:
    first, second = run(room, room.apply()), run(room, room.apply(identity=room.other))
    assert relative_error(first, plain(room)) > 1e-3
    assert relative_error(first, second) > 1e-3


# Rows


def network_rows(model: Any, chunks: list[int], batch: int) -> torch.Tensor:
    """One network call with this layout; row content depends only on its chunk and place."""
    import comfy.model_management

    comfy.model_management.load_models_gpu([model])
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randn(4, 4, 16, 24, generator=generator)[:batch]
    prompts = torch.cat([GOLDEN["in.positive"], GOLDEN["in.negative"], GOLDEN["in.positive"] * 0.5])
    pooled = torch.cat(
        [GOLDEN["in.pooled_positive"], GOLDEN["in.pooled_negative"], GOLDEN["in.pooled_positive"]]
    )
    pooled = torch.nn.functional.pad(pooled, (0, 2816 - pooled.shape[1]))
    options = {
        **model.model_options["transformer_options"],
        "wrappers": model.wrappers,
        "cond_or_uncond": [0 if c == 2 else c for c in chunks],
        "sigmas": torch.full((batch,), SIGMA),
    }
    rows = [c for c in chunks for _ in range(batch)]
    return model.model.apply_model(
        pictures.repeat(len(chunks), 1, 1, 1),
        torch.full((len(rows),), SIGMA),
        c_crossattn=prompts[rows],
        y=pooled[rows],
        transformer_options=options,
    )


@pytest.mark.parametrize("batch", [1, 2, 3, 4])
@pytest.mark.parametrize("chunks", [[1, 0], [0, 1], [0], [1], [1, 0, 2], [0, 2, 1], [2, 0]], ids=str)
def test_each_row_equals_running_it_alone(room: Any, chunks: list[int], batch: int) -> None:
    mask = torch.rand(1, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1))
    for inputs in ({}, {"mask": mask}):
        model = room.apply(model=room.exact, **inputs)[0]
        together = network_rows(model, chunks, batch).unflatten(0, (len(chunks), batch))
        for chunk, rows in zip(chunks, together, strict=True):
            alone = network_rows(model, [chunk], batch)
            assert relative_error(rows, alone) <= 1e-6
            assert relative_error(rows[:1], network_rows(model, [chunk], 1)) <= 1e-6


def test_the_negative_gets_its_own_tokens(room: Any) -> None:
    model = room.apply()[0]
    assert relative_error(network_rows(model, [1], 1), network_rows(room.model, [1], 1)) > 1e-4
    other = room.apply(identity=room.other)[0]
    assert torch.equal(network_rows(model, [1], 1), network_rows(other, [1], 1))


def test_roles_follow_the_guiders_names_not_the_place(room: Any) -> None:
    """Guiders list their prompts in several orders, and name them: what is called negative stays it."""
    import comfy.samplers

    model, positive, negative = room.apply(model=room.exact)

    def batch(args: dict[str, Any]) -> Any:
        conds, calc = list(reversed(args["conds"])), comfy.samplers.calc_cond_batch
        return calc(args["model"], conds, args["input"], args["sigma"], args["model_options"])[::-1]

    turned = model.clone()
    turned.model_options["sampler_calc_cond_batch_function"] = batch
    straight = denoise(model, positive, negative, GOLDEN["in.x"], SIGMA)
    other = denoise(turned, positive, negative, GOLDEN["in.x"], SIGMA)
    assert all(relative_error(a, b) <= 1e-6 for a, b in zip(other, straight, strict=True))


@pytest.mark.parametrize("control", [False, True], ids=["attention", "with ControlNet"])
def test_a_positive_zeroed_out_is_a_negative_where_it_is_used_as_one(
    room: Any, host: Any, control: bool
) -> None:
    """Conditioning Zero Out after Apply InstantID is how Flux and Turbo graphs make their negative."""
    given = {"control_net": GOLDEN.control_net(), "keypoints": GOLDEN["in.kps"]} if control else {}
    model, positive, negative = room.apply(model=room.exact, **given)
    nothing = host.ConditioningZeroOut().zero_out(positive)[0]
    expected = host.ConditioningZeroOut().zero_out(room.positive)[0]
    facts = {"control": negative[0][1].get("control"), "control_apply_to_uncond": False} if control else {}
    plain = [[expected[0][0], {**expected[0][1], **facts}]]
    found = denoise(model, positive, nothing, GOLDEN["in.x"], SIGMA)
    wanted = denoise(model, positive, plain, GOLDEN["in.x"], SIGMA)
    assert all(relative_error(a, b) <= 1e-6 for a, b in zip(found, wanted, strict=True))
    swapped = denoise(model, positive, positive, GOLDEN["in.x"], SIGMA)
    assert relative_error(swapped[0], swapped[1]) > 1e-4, "the same prompt, but another role"


def test_cfg_1_runs_the_positive_alone(room: Any) -> None:
    applied = room.apply(model=room.exact)
    found = denoise(*applied, GOLDEN["in.x"], SIGMA, cfg=1.0)[0]
    assert relative_error(found, denoise(*applied, GOLDEN["in.x"], SIGMA)[0]) <= 1e-6


def test_several_positives_each_get_the_identity(room: Any) -> None:
    applied = room.apply(model=room.exact, positive=[*room.positive, *GOLDEN.conditioning("negative")])
    found = denoise(*applied, GOLDEN["in.x"], SIGMA)[0]
    parts = [denoise(applied[0], [entry], applied[2], GOLDEN["in.x"], SIGMA)[0] for entry in applied[1]]
    assert relative_error(found, (parts[0] + parts[1]) / 2) <= 1e-6


# Sharing


def test_three_runs_of_the_node_equal_one(room: Any) -> None:
    once = run(room, room.apply())
    for _ in range(3):
        applied = room.apply()
    assert torch.equal(run(room, applied), once)
    slots = applied[0].model_options["transformer_options"]["patches_replace"]["attn2"]
    assert {len(patch.sources) for patch in slots.values()} == {1}


def test_a_sibling_branch_is_bit_equal_to_the_base(room: Any) -> None:
    before = plain(room)
    first = room.apply()
    second = room.apply(model=first[0], identity=room.other)
    run(room, second)
    assert torch.equal(plain(room), before)
    assert torch.equal(run(room, first), run(room, room.apply()))
    assert "attn2" not in room.model.model_options["transformer_options"].get("patches_replace", {})


def test_inputs_are_not_changed(room: Any) -> None:
    positive, negative = GOLDEN.conditioning("positive"), GOLDEN.conditioning("negative")
    keypoints, mask = GOLDEN["in.kps"].clone(), torch.ones(1, HEIGHT, WIDTH)
    run(
        room,
        room.apply(
            positive=positive,
            negative=negative,
            control_net=GOLDEN.control_net(),
            keypoints=keypoints,
            mask=mask,
        ),
    )
    assert torch.equal(keypoints, GOLDEN["in.kps"]) and bool((mask == 1).all())
    for side, given in (("positive", positive), ("negative", negative)):
        assert set(given[0][1]) == set(GOLDEN.conditioning(side)[0][1])


def test_no_global_random_state_is_touched(room: Any) -> None:
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    first = room.apply(negative_noise=0.5, seed=3)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1] and (np.random.get_state()[1] == states[2]).all()
    assert torch.equal(run(room, first), run(room, room.apply(negative_noise=0.5, seed=3)))
    assert not torch.equal(run(room, first), run(room, room.apply(negative_noise=0.5, seed=4)))


def test_people_in_a_chain_add_up_in_any_order(room: Any) -> None:
    left, right = torch.zeros(1, HEIGHT, WIDTH), torch.zeros(1, HEIGHT, WIDTH)
    left[..., : WIDTH // 2], right[..., WIDTH // 2 :] = 1, 1
    one = room.apply(mask=left)[0]
    both = room.apply(model=one, mask=right, identity=room.other)
    other_way = room.apply(model=room.apply(mask=right, identity=room.other)[0], mask=left)
    assert relative_error(run(room, both), run(room, other_way)) <= 1e-5
    same_person = room.apply(model=one, mask=right)
    assert relative_error(run(room, same_person), run(room, room.apply())) <= 1e-5


# Memory


def test_nothing_stays_on_the_device_after_sampling(room: Any) -> None:
    applied = room.apply(mask=torch.ones(1, HEIGHT, WIDTH))
    run(room, applied)
    patch = next(iter(applied[0].model_options["transformer_options"]["patches_replace"]["attn2"].values()))
    source = patch.sources[0]
    assert source.keys_values._lent == {} and source.mask._cache == {}


def test_keys_and_values_of_sdxl_fit_the_budget(pack: Any) -> None:
    """Computed from the real network's shapes, on the meta device."""
    import comfy.ops
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    config = {
        **GOLDEN.meta["unet_config"],
        "model_channels": 320,
        "channel_mult": [1, 2, 4],
        "context_dim": 2048,
    }
    config |= {
        "transformer_depth": [0, 0, 2, 2, 10, 10],
        "transformer_depth_middle": 10,
        "num_head_channels": 64,
    }
    config |= {"transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10]}
    network = UNetModel(
        **config, dtype=torch.float16, device="meta", operations=comfy.ops.disable_weight_init
    )
    sites_module = pack.module("likeness.attention.sites")
    sites = sites_module.attention_sites(network)
    assert tuple(site.key for site in sites) == sites_module.SDXL_KEYS
    shapes = [(2, 16, site.hidden) for site in sites]
    total = 2 * sum(r * t * h for r, t, h in shapes)
    kept = pack.module("likeness.attention.adds").KeysValues(torch.empty(total, device="meta"), shapes)
    assert len(kept) == 70
    assert kept.bytes(torch.float16) == 10_649_600 <= 12_000_000


def test_cached_keys_and_values_equal_projecting_on_the_fly(room: Any) -> None:
    applied = room.apply()
    tokens = room.adapter.projector(torch.cat([torch.zeros(1, 1, 512), GOLDEN["in.face_embedding"][None]]))
    seen = []
    for site, (to_k, to_v) in zip(room.sites, room.adapter.layers.pairs, strict=True):
        patch = applied[0].model_options["transformer_options"]["patches_replace"]["attn2"][site.key]
        source = patch.sources[0]
        keys, values = source.keys_values.on(tokens)[source.numbers[site.key]]
        seen += [relative_error(keys, tokens @ to_k.T), relative_error(values, tokens @ to_v.T)]
    assert len(seen) == 2 * len(room.sites) and max(seen) <= 1e-6


# Other packs in the slot


def test_another_pack_before_and_after_give_the_same(room: Any) -> None:
    keys = [site.key for site in room.sites]
    before = room.apply(model=add_foreign(room.model, keys))
    applied = room.apply()
    after = (add_foreign(applied[0], keys), *applied[1:])
    alone = (add_foreign(room.model, keys), room.positive, room.negative)
    assert relative_error(run(room, before), run(room, after)) <= 1e-5
    assert relative_error(run(room, before), run(room, applied)) > 1e-4
    assert relative_error(run(room, before), run(room, alone)) > 1e-4


def test_another_pack_that_adds_itself_stays_in_its_branch(room: Any) -> None:
    applied = room.apply()
    once = run(room, applied)
    keys = [site.key for site in room.sites]
    for _ in range(3):
        with_foreign = (add_foreign(applied[0], keys), *applied[1:])
    assert torch.equal(run(room, applied), once)
    fresh = room.apply()
    assert torch.equal(run(room, with_foreign), run(room, (add_foreign(fresh[0], keys), *fresh[1:])))


def test_a_patch_of_a_whole_block_is_kept(room: Any) -> None:
    """A two-part key means every layer of a block; our three-part keys must not hide it, before or after."""
    blocks = list(dict.fromkeys(site.key[:2] for site in room.sites))
    before = room.apply(model=add_foreign(room.model, blocks))
    applied = room.apply()
    after = (add_foreign(applied[0], blocks), *applied[1:])
    three_part = room.apply(model=add_foreign(room.model, [site.key for site in room.sites]))
    assert torch.equal(run(room, before), run(room, after))
    assert relative_error(run(room, before), run(room, three_part)) <= 1e-6


def test_a_pack_that_takes_the_slot_is_named_in_the_log(room: Any, caplog: pytest.LogCaptureFixture) -> None:
    applied = room.apply()
    model = applied[0].clone()
    for site in room.sites[:3]:
        model.set_model_attn2_replace(AddingPatch(foreign, size=0.1), *site.key)
    run(room, (model, *applied[1:]))
    assert f"3 of {len(room.sites)} attention layers do not see what Likeness put there" in caplog.text


def test_loras_before_and_after_give_the_same(room: Any) -> None:
    weight = "diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_q.weight"
    shape = room.model.model.state_dict()[weight].shape
    patch = {weight: ("diff", (torch.randn(shape, generator=torch.Generator().manual_seed(5)),))}

    def with_lora(model: Any) -> Any:
        model = model.clone()
        assert model.add_patches(patch, 1.0) == [weight]
        return model

    applied = room.apply()
    after = run(room, (with_lora(applied[0]), *applied[1:]))
    before = run(room, room.apply(model=with_lora(room.model)))
    assert torch.equal(before, after)
    assert relative_error(before, run(room, applied)) > 1e-4


# Masks


def test_a_full_mask_is_no_mask(room: Any) -> None:
    masked = run(room, room.apply(mask=torch.ones(1, HEIGHT, WIDTH)))
    assert relative_error(masked, run(room, room.apply())) <= 1e-6


def test_one_mask_per_picture(room: Any) -> None:
    masks = torch.stack([torch.ones(HEIGHT, WIDTH), torch.zeros(HEIGHT, WIDTH)])
    model = room.apply(model=room.exact, mask=masks)[0]
    rows = network_rows(model, [1, 0], 2).unflatten(0, (2, 2))
    full, none = room.apply(model=room.exact)[0], room.exact
    for place, chunk in enumerate([1, 0]):
        assert relative_error(rows[place, 0], network_rows(full, [chunk], 2)[0]) <= 1e-6
        assert relative_error(rows[place, 1], network_rows(none, [chunk], 2)[1]) <= 1e-6


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (torch.ones(3, HEIGHT, WIDTH), "mask holds 3 masks but the batch has 1 pictures"),
        (torch.ones(1, WIDTH, HEIGHT), "another shape"),
    ],
)
def test_a_mask_that_does_not_fit_is_explained(room: Any, mask: torch.Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        run(room, room.apply(mask=mask))


def test_a_mask_of_another_resolution_is_resized(room: Any) -> None:
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[..., : WIDTH // 2] = 1
    large = mask.repeat_interleave(3, 1).repeat_interleave(3, 2)
    assert relative_error(run(room, room.apply(mask=large)), run(room, room.apply(mask=mask))) <= 1e-6


def test_areas_show_their_part_of_the_mask(room: Any) -> None:
    """A prompt for the right half sees the right half of the mask, not the whole one squeezed."""
    right = torch.zeros(1, HEIGHT, WIDTH)
    right[..., WIDTH // 2 :] = 1
    area = {"area": (16, 12, 0, 12), "strength": 1.0}
    exact = {"model": room.exact}
    positive = [[room.positive[0][0], {**room.positive[0][1], **area}]]
    x = GOLDEN["in.x"]
    inside = denoise(*room.apply(**exact, mask=right, positive=positive), x, SIGMA)[0]
    whole = denoise(*room.apply(**exact, positive=positive), x, SIGMA)[0]
    assert relative_error(inside, whole) <= 1e-6


# ControlNet


def watch(control: Any, seen: list[tuple[int, ...]]) -> Any:
    def note(module: Any, args: Any, kwargs: Any) -> None:
        seen.append(tuple(kwargs["context"].shape))

    control.control_model.register_forward_pre_hook(note, with_kwargs=True)
    return control


@pytest.mark.parametrize("theirs_first", [True, False])
def test_only_our_control_net_gets_the_tokens(room: Any, host: Any, theirs_first: bool) -> None:
    ours_seen: list[tuple[int, ...]] = []
    theirs_seen: list[tuple[int, ...]] = []
    ours, theirs = watch(GOLDEN.control_net(), ours_seen), watch(GOLDEN.control_net("other."), theirs_seen)
    chain = host.ControlNetApplyAdvanced().apply_controlnet
    positive, negative = room.positive, room.negative
    if theirs_first:
        positive, negative = chain(positive, negative, theirs, GOLDEN["in.kps"], 0.5, 0.0, 1.0)
    applied = room.apply(positive=positive, negative=negative, control_net=ours, keypoints=GOLDEN["in.kps"])
    if not theirs_first:
        applied = (applied[0], *chain(*applied[1:], theirs, GOLDEN["in.kps"], 0.5, 0.0, 1.0))
    denoise(*applied, GOLDEN["in.x"], SIGMA)
    width = GOLDEN.meta["unet_config"]["context_dim"]
    assert ours_seen == [(2, 16, width)] and theirs_seen == [(2, 77, width)]


def test_the_control_net_takes_part_only_in_its_window_and_mask(room: Any) -> None:
    inputs = {"control_net": GOLDEN.control_net(), "keypoints": GOLDEN["in.kps"], "weight": 0.0}
    x = GOLDEN["in.x"]
    base = denoise(room.model, room.positive, room.negative, x, 0.2)[0]
    assert torch.equal(denoise(*room.apply(**inputs, end=0.1), x, 0.2)[0], base)
    half = torch.zeros(1, HEIGHT, WIDTH)
    half[..., : WIDTH // 2] = 1
    parts = [denoise(*room.apply(**inputs, mask=m), x, 0.2)[0] for m in (half, 1 - half)]
    full = denoise(*room.apply(**inputs), x, 0.2)[0]
    ones = denoise(*room.apply(**inputs, mask=torch.ones_like(half)), x, 0.2)[0]
    assert relative_error(ones, full) <= 1e-6
    assert all(
        relative_error(part, other) > 1e-4 for part, other in itertools.combinations([*parts, full, base], 2)
    )


def test_a_copied_control_still_carries_the_tokens(room: Any, host: Any) -> None:
    """The host copies controls when another node chains onto them."""
    applied = room.apply(control_net=GOLDEN.control_net(), keypoints=GOLDEN["in.kps"])
    control = applied[1][0][1]["control"]
    assert applied[2][0][1]["control"] is control
    copies = [[[c[0][0], {**c[0][1], "control": control.copy()}]] for c in applied[1:]]
    found = denoise(applied[0], *copies, GOLDEN["in.x"], SIGMA)
    wanted = denoise(*applied, GOLDEN["in.x"], SIGMA)
    assert all(relative_error(a, b) <= 1e-6 for a, b in zip(found, wanted, strict=True))


# Other networks


def fitting(room: Any, pack: Any, model: Any, sites_of: Any = None) -> Any:
    sites = pack.module("likeness.attention.sites").attention_sites((sites_of or model).model.diffusion_model)
    width = GOLDEN.meta["unet_config"]["context_dim"]
    content = instantid_files.adapter((site.hidden for site in sites), width, GOLDEN.meta["resampler"])
    return pack.module("likeness.methods.instantid.adapter").parse(content, {}, "tiny")


def test_sdxl_inpaint(room: Any, pack: Any) -> None:
    model = GOLDEN.model(in_channels=9)
    facts = {"concat_latent_image": GOLDEN["in.x"] * 0.1, "concat_mask": torch.ones(1, 1, HEIGHT, WIDTH)}
    positive, negative = (GOLDEN.conditioning(side, **facts) for side in ("positive", "negative"))
    applied = room.apply(
        model=model, instantid=fitting(room, pack, model), positive=positive, negative=negative
    )
    found = run(room, applied)
    assert torch.isfinite(found).all()
    assert relative_error(found, sample(model, positive, negative, room.noise)) > 1e-4


def test_ssd_1b_takes_sdxl_s_layers_by_position(room: Any, pack: Any) -> None:
    deep = {"transformer_depth": [0, 0, 2, 2, 10, 10], "transformer_depth_middle": 10}
    deep |= {"transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10], "channel_mult": [1, 2, 4]}
    small = {
        "transformer_depth": [0, 0, 2, 2, 4, 4],
        "transformer_depth_middle": -1,
        "channel_mult": [1, 2, 4],
    }
    small |= {"transformer_depth_output": [0, 0, 0, 1, 1, 2, 4, 4, 10]}
    adapter = fitting(room, pack, None, GOLDEN.model(**deep))
    assert len(adapter.layers.pairs) == 70
    model = GOLDEN.model(**small)
    applied = room.apply(model=model, instantid=adapter)
    slots = applied[0].model_options["transformer_options"]["patches_replace"]["attn2"]
    position = {key: n for n, key in enumerate(pack.module("likeness.attention.sites").SDXL_KEYS)}
    assert len(slots) == 34
    for key, patch in slots.items():
        source = patch.sources[0]
        keys, _ = source.keys_values.on(GOLDEN["in.x"])[source.numbers[key]]
        tokens = adapter.projector(GOLDEN["in.face_embedding"][None])[0]
        assert relative_error(keys[1], tokens @ adapter.layers.pairs[position[key]][0].T) <= 1e-6
    assert relative_error(run(room, applied), sample(model, room.positive, room.negative, room.noise)) > 1e-4
