"""What Apply PVA promises, on a tiny real SD2 inpainting network in the real host. Spec A.9."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support import pva_files
from support.fill import fill
from support.golden import Golden, relative_error
from support.sampling import denoise, sample

GOLDEN = Golden("pva")
WIDTH = GOLDEN.meta["unet_config"]["context_dim"]
SIGMA = 1.6
EXACT = 1e-6

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any) -> SimpleNamespace:
    """A MODEL in float32 and in float64, a PVA for it, two people, and Apply PVA with the rest filled in."""
    model = GOLDEN.model("SD20")
    sites = pack.module("likeness.attention.sites").attention_sites(model.model.diffusion_model)
    hidden = [site.hidden for site in sites]
    module = pack.module("likeness.methods.pva.content")
    base = module.parse_base(pva_files.base(hidden, WIDTH), "tiny")
    identity = pack.module("likeness.values").Identity
    vectors = GOLDEN["in.reference_embeddings"][0]
    pva = module.PVA(base)
    people = [module.identity_tokens(pva, identity(v, "ms1mv3_r50")) for v in (vectors[:2], vectors[2:])]
    node = pack.node("LikenessApplyPVA")
    adapters = pack.module("likeness.adapters")

    def made(somebody: torch.Tensor, name: str = "tiny") -> Any:
        """Tokens as the adapter file of that name would have made them."""
        return adapters.Tokens(somebody, None, adapters.MadeWith(name))

    def apply(model: Any = model, **inputs: Any) -> Any:
        return node.execute(model=model, **{"pva": pva, "pva_tokens": people[0], **inputs})[0]

    return SimpleNamespace(
        model=model,
        exact=GOLDEN.model("SD20", dtype=torch.float64),
        pva=pva,
        base=base,
        hidden=hidden,
        sites=sites,
        people=people,
        apply=apply,
        module=module,
        made=made,
        noise=GOLDEN["in.x"] * 14.6,
    )


def conditioning(side: str, **changes: Any) -> list[Any]:
    mask = GOLDEN["in.mask"].repeat_interleave(8, 2).repeat_interleave(8, 3)
    facts = {"concat_latent_image": GOLDEN["in.masked_latent"] / 0.18215, "concat_mask": mask}
    return [[changes.pop("prompt", GOLDEN[f"in.{side}"]), {**facts, **changes}]]


def run(model: Any, cfg: float = 5.0) -> torch.Tensor:
    noise = GOLDEN["in.x"] * 14.6
    return sample(model, conditioning("positive"), conditioning("negative"), noise, cfg)


def rows(model: Any, **changes: Any) -> tuple[torch.Tensor, torch.Tensor]:
    x = GOLDEN["in.x"] * 2
    return denoise(model, conditioning("positive", **changes), conditioning("negative"), x, SIGMA)


def turned(model: Any) -> Any:
    """The MODEL with its lists of prompts in the other order, as some guiders have them."""
    import comfy.samplers

    def batch(args: dict[str, Any]) -> Any:
        conds, calc = list(reversed(args["conds"])), comfy.samplers.calc_cond_batch
        return calc(args["model"], conds, args["input"], args["sigma"], args["model_options"])[::-1]

    model = model.clone()
    model.model_options["sampler_calc_cond_batch_function"] = batch
    return model


def differ(a: torch.Tensor, b: torch.Tensor) -> bool:
    return relative_error(a, b) > 1e-4


# A1: nothing to do


@pytest.mark.parametrize(
    "inputs", [{"strength": 0.0}, {"start": 0.4, "end": 0.4}], ids=["strength 0", "window"]
)
def test_nothing_to_do_is_bit_equal(room: Any, inputs: dict[str, Any]) -> None:
    assert torch.equal(run(room.apply(**inputs, apply_to="both")), run(room.model))


def test_no_tokens_are_bit_equal(room: Any) -> None:
    nobody = room.made(room.people[0].somebody[:, :0])
    assert torch.equal(run(room.apply(pva_tokens=nobody)), run(room.model))


def test_outside_its_window_a_patched_model_is_bit_equal(room: Any) -> None:
    x, prompts = GOLDEN["in.x"], (conditioning("positive"), conditioning("negative"))
    model = room.apply(end=0.1)
    for sigma, same in ((0.2, True), (14.0, False)):
        found, wanted = (denoise(m, *prompts, x, sigma)[0] for m in (model, room.model))
        assert torch.equal(found, wanted) == same


def test_strength_and_person_change_the_picture(room: Any) -> None:
    full, weak, other = (
        run(room.apply()),
        run(room.apply(strength=0.1)),
        run(room.apply(pva_tokens=room.people[1])),
    )
    plain = run(room.model)
    assert differ(full, plain) and differ(other, full)
    assert relative_error(weak, plain) < relative_error(full, plain)


# A2: fresh weights


def test_fresh_weights_that_see_the_prompt_itself_change_nothing(room: Any, pack: Any) -> None:
    find = pack.module("likeness.attention.sites").attention_module
    unet = {}
    for name, site in zip(pva_files.LAYERS, room.sites, strict=True):
        module = find(room.exact.model.diffusion_model, site.key, "attn2")
        for part in "qkv":
            weight = getattr(module, f"to_{part}").weight
            unet[f"{pva_files.layer(name)}.to_visual_{part}.weight"] = weight.float()
    content = {**pva_files.base(room.hidden, WIDTH), "unet": unet}
    fresh = room.module.PVA(room.module.parse_base(content, "fresh"))
    text = room.made(GOLDEN["in.positive"], "fresh")
    found = rows(room.apply(model=room.exact, pva=fresh, pva_tokens=text))[0]
    assert relative_error(found, rows(room.exact)[0]) < 1e-5


# A5, A7: rows


def test_the_negative_row_is_the_base_models_to_the_bit(room: Any) -> None:
    (positive, negative), plain = rows(room.apply()), rows(room.model)
    assert torch.equal(negative, plain[1]) and differ(positive, plain[0])
    assert differ(rows(room.apply(apply_to="both"))[1], plain[1])


@pytest.mark.parametrize("apply_to", ["positive", "both"])
def test_order_and_batching_of_rows_do_not_matter(
    room: Any, apply_to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import comfy.samplers

    model = room.apply(model=room.exact, apply_to=apply_to)
    together = rows(model)
    x = GOLDEN["in.x"] * 2
    swapped = denoise(turned(model), conditioning("positive"), conditioning("negative"), x, SIGMA)
    monkeypatch.setattr(comfy.samplers, "can_concat_cond", lambda a, b: a is b)
    for found in (swapped, rows(model)):
        assert all(relative_error(a, b) < EXACT for a, b in zip(found, together, strict=True))
    alone = denoise(model, conditioning("positive"), conditioning("negative"), x, SIGMA, cfg=1.0)[0]
    assert relative_error(alone, together[0]) < EXACT


def test_a_batch_of_three(room: Any) -> None:
    model, x = room.apply(model=room.exact), torch.cat([GOLDEN["in.x"] * size for size in (1, 2, 3)])
    prompts = conditioning("positive"), conditioning("negative")
    found, plain = denoise(model, *prompts, x, SIGMA), denoise(room.exact, *prompts, x, SIGMA)
    for place in range(3):
        single = denoise(model, *prompts, x[place : place + 1], SIGMA)
        assert all(
            relative_error(a[place : place + 1], b) < EXACT for a, b in zip(found, single, strict=True)
        )
    assert torch.equal(found[1], plain[1])


def test_prompts_of_different_lengths(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A7: the host repeats the 77 tokens of the negative to the 154 of the positive."""
    import comfy.samplers

    long = torch.cat([GOLDEN["in.positive"], GOLDEN["in.negative"].flip(1)], dim=1)
    model = room.apply(model=room.exact, apply_to="both")
    together = rows(model, prompt=long)
    monkeypatch.setattr(comfy.samplers, "can_concat_cond", lambda a, b: a is b)
    for a, b in zip(together, rows(model, prompt=long), strict=True):
        assert relative_error(a, b) < EXACT


# A6: layers


def test_all_sixteen_layers_are_called_once(room: Any) -> None:
    model, seen = room.apply(), []

    def note(out: Any, q: Any, k: Any, v: Any, extra_options: Any, **options: Any) -> torch.Tensor:
        seen.append((*extra_options["block"], extra_options["block_index"]))
        return torch.zeros_like(out)

    for patch in model.model_options["transformer_options"]["patches_replace"]["attn2"].values():
        patch.add(note, sigma_start=1e9, sigma_end=0.0)
    denoise(model, conditioning("positive"), conditioning("negative"), GOLDEN["in.x"], SIGMA)
    assert len(seen) == 16 and set(seen) == {site.key for site in room.sites}
    inputs, outputs = (sorted(n for kind, n, _ in seen if kind == k) for k in ("input", "output"))
    assert inputs == [1, 2, 4, 5, 7, 8] and outputs == [3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert ("middle", 0, 0) in seen


# Sharing


def test_three_runs_of_the_node_equal_one_and_the_base_stays(room: Any) -> None:
    before, once = run(room.model), run(room.apply())
    for _ in range(3):
        model = room.apply()
    assert torch.equal(run(model), once) and torch.equal(run(room.model), before)
    assert "attn2" not in room.model.model_options["transformer_options"].get("patches_replace", {})


def test_nothing_stays_after_sampling(room: Any) -> None:
    model = room.apply()
    run(model)
    options = model.model_options["transformer_options"]
    assert "attn2_patch" not in options.get("patches", {})
    patch = next(iter(options["patches_replace"]["attn2"].values()))
    assert patch.sources[0].tokens._lent == {}


def test_two_people_add_up_in_any_order(room: Any) -> None:
    first, second = {"pva_tokens": room.people[0]}, {"pva_tokens": room.people[1]}
    both = run(room.apply(model=room.apply(**first), **second))
    other_way = run(room.apply(model=room.apply(**second), **first))
    assert relative_error(both, other_way) < 1e-5 and differ(both, run(room.apply(**first)))


# Other packs


class Foreign:
    """What an IP-Adapter pack leaves in a slot."""

    def __init__(self, callback: Callable[..., torch.Tensor], **options: Any) -> None:
        self.entries = [(callback, options)]

    def __call__(self, q: Any, k: Any, v: Any, extra_options: dict[str, Any]) -> torch.Tensor:
        from comfy.ldm.modules.attention import optimized_attention

        out = optimized_attention(q, k, v, extra_options["n_heads"])
        for callback, options in self.entries:
            out = out + callback(out, q, k, v, extra_options, **options)
        return out


def added(out: Any, q: Any, k: Any, v: Any, extra_options: Any, **options: Any) -> torch.Tensor:
    return 0.3 * torch.tanh(q)


@pytest.mark.parametrize("short", [False, True], ids=["layer", "whole block"])
def test_another_pack_before_and_after_give_the_same(room: Any, short: bool) -> None:
    """A12: the gate's residual goes on top of what is there; the gate itself sees the text alone."""
    keys = [site.key[:2] if short else site.key for site in room.sites]
    foreign = room.model.clone()
    for key in keys:
        foreign.set_model_attn2_replace(Foreign(added), *key)
    before = room.apply(model=foreign)
    after = room.apply()
    slots = after.model_options["transformer_options"]["patches_replace"]["attn2"]
    for site in room.sites:
        slots[site.key].add(added, sigma_start=1e9, sigma_end=0.0)
    assert relative_error(run(before), run(after)) < 1e-5
    assert differ(run(before), run(room.apply())) and differ(run(before), run(foreign))


def test_what_another_pack_does_to_the_hidden_states_is_seen(room: Any, pack: Any) -> None:
    """Its patch may be connected before or after ours: layers note what they really project."""
    site, seen = room.sites[0], []
    find = pack.module("likeness.attention.sites").attention_module
    to_q = find(room.model.model.diffusion_model, site.key, "attn2").to_q

    def shift(n: Any, context: Any, value: Any, extra_options: Any) -> Any:
        return n + 0.1, context, value

    def note(out: Any, q: Any, k: Any, v: Any, extra_options: Any, **options: Any) -> torch.Tensor:
        seen.append(relative_error(to_q(extra_options["likeness_hidden"]), q))
        return torch.zeros_like(out)

    before = room.model.clone()
    before.set_model_attn2_patch(shift)
    before, after = room.apply(model=before), room.apply()
    after.set_model_attn2_patch(shift)
    for model in (before, after):
        slots = model.model_options["transformer_options"]["patches_replace"]["attn2"]
        slots[site.key].add(note, sigma_start=1e9, sigma_end=0.0)
    assert torch.equal(run(before), run(after))
    assert len(seen) == 6 and max(seen) < EXACT  # three steps each


# A person's layer


def persons(room: Any) -> Any:
    unet = {**pva_files.visual(room.hidden, WIDTH), **pva_files.text(room.hidden, WIDTH)}
    content = {"modifier_vec": fill("anna", (1, WIDTH)), "unet": unet}
    return room.module.PVA(room.base, room.module.parse_person(content, "anna", room.base))


def test_a_tuned_layer_takes_the_place_of_the_models_own(room: Any, pack: Any) -> None:
    pva, find = persons(room), pack.module("likeness.attention.sites").attention_module
    replaced = GOLDEN.model("SD20")
    for name, site in zip(pva_files.LAYERS, room.sites, strict=True):
        module = find(replaced.model.diffusion_model, site.key, "attn2")
        state = {part: pva.tuned[f"{pva_files.layer(name)}.{part}"] for part in module.state_dict()}
        module.load_state_dict(state)
    found = run(room.apply(pva=pva))
    assert relative_error(found, run(room.apply(model=replaced))) < EXACT
    assert differ(found, run(room.apply()))
    assert torch.equal(run(room.apply(pva=pva, strength=0.0)), run(room.model))


def test_loras_before_and_after_a_tuned_layer_give_the_same(room: Any) -> None:
    pva = persons(room)
    key = "diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_q.weight"
    shape = room.model.model.state_dict()[key].shape
    lora = {key: ("diff", (torch.randn(shape, generator=torch.Generator().manual_seed(5)),))}

    def with_lora(model: Any) -> Any:
        model = model.clone()
        assert model.add_patches(lora, 1.0) == [key]
        return model

    before = run(room.apply(model=with_lora(room.model), pva=pva))
    assert torch.equal(before, run(with_lora(room.apply(pva=pva))))
    assert differ(before, run(room.apply(pva=pva)))
    assert key not in room.model.patches


# Precision


def test_half_precision_with_float32_logits(room: Any) -> None:
    exact = GOLDEN.model("SD20", attn_precision=torch.float32)
    half = GOLDEN.model("SD20", torch.bfloat16, attn_precision=torch.float32)
    found, wanted = (rows(room.apply(model=model))[0].float() for model in (half, exact))
    assert torch.isfinite(found).all() and relative_error(found, wanted) < 0.05


# Beside a held story


@pytest.mark.parametrize("apply_to", ["positive", "both"])
@pytest.mark.parametrize("copies", [1, 2])
def test_held_rows_count_as_if_they_stood_behind_the_prompt(
    room: Any, pack: Any, copies: int, apply_to: str
) -> None:
    """Hold Identity before or after: one softmax over the prompt, its held rows and the person."""

    def hold(model: Any) -> Any:
        node = pack.node("LikenessHoldIdentity")
        return node.execute(model=model, identity_tokens=5, strength=float(copies))[0]

    def apply(model: Any) -> Any:
        return room.apply(model=model, apply_to=apply_to)

    prompt = GOLDEN["in.positive"]
    longer = torch.cat([prompt, *[prompt[:, :5]] * copies], dim=1)
    after, before, plain = rows(hold(apply(room.exact))), rows(apply(hold(room.exact))), rows(room.exact)
    copied = rows(apply(room.exact), prompt=longer)
    for one, other, wanted in zip(after, before, copied, strict=True):
        assert torch.equal(one, other) and relative_error(one, wanted) <= 1e-6
    assert differ(after[0], rows(apply(room.exact))[0]) and differ(after[0], plain[0])
