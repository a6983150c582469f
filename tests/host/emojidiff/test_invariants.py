"""What an E-adapter promises in the real host: rows, batches, masks, layers, company. Spec C.8."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from support import emojidiff
from support.foreign import add_foreign
from support.golden import relative_error
from support.sampling import denoise, sample

HEIGHT, WIDTH = 128, 192
SIGMA = 1.6
IDENTITY = 0.7

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


def seeded(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def room(pack: Any, host: Any) -> SimpleNamespace:
    """Tiny SD1.5, its exact twin, an adapter, four expressions, and the node with the rest filled in."""
    load = host.CheckpointLoaderSimple().load_checkpoint
    model, exact = (load("tiny_sd15.safetensors")[0] for _ in range(2))
    exact.model.diffusion_model.to(torch.float64).dtype = torch.float64
    methods = pack.module("likeness.methods.emojidiff.adapter")
    content = emojidiff.flat(emojidiff.resampler(), emojidiff.layers(emojidiff.numbers()))
    adapter = methods.parse(content, {}, "tiny")
    features = seeded(5, 17, emojidiff.VISION, seed=4)
    every = adapter.projector(features)
    make = pack.module("likeness.adapters").Tokens
    tokens, one = (make(some, every[:1], adapter.made) for some in (every[1:], every[1:2]))
    node = pack.node("LikenessApplyEAdapter")

    def apply(model: Any = model, **inputs: Any) -> Any:
        return node.execute(model=model, **{"eadapter": adapter, "expression_tokens": one, **inputs})[0]

    return SimpleNamespace(
        model=model,
        exact=exact,
        adapter=adapter,
        tokens=tokens,
        one=one,
        apply=apply,
        make=make,
        positive=[[seeded(1, 77, emojidiff.CONTEXT, seed=1), {}]],
        negative=[[seeded(1, 77, emojidiff.CONTEXT, seed=2), {}]],
        x=seeded(1, 4, HEIGHT // 8, WIDTH // 8, seed=3),
        sites=pack.module("likeness.attention.sites").attention_sites(model.model.diffusion_model),
    )


def run(room: Any, model: Any, batch: int = 1) -> torch.Tensor:
    noise = seeded(batch, 4, HEIGHT // 8, WIDTH // 8, seed=5) * 14.6
    return sample(model, room.positive, room.negative, noise)


def both(
    room: Any, model: Any, x: torch.Tensor | None = None, **more: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    given = {"positive": room.positive, "negative": room.negative, "sigma": SIGMA, **more}
    return denoise(model, x=room.x if x is None else x, **given)


# C1: nothing to do


@pytest.mark.parametrize(
    "inputs",
    [
        {"weight": 0.0},
        {"start": 0.5, "end": 0.5},
        {"layers": "custom", "layer_list": ""},
        {"layers": "custom", "layer_list": "2, 4, 33-99"},
        {"mask": torch.zeros(1, HEIGHT, WIDTH)},
    ],
    ids=["weight 0", "empty window", "no layers", "layers that are not there", "C3 empty mask"],
)
def test_nothing_to_do_is_bit_equal(room: Any, inputs: dict[str, Any]) -> None:
    patched = room.apply(**inputs)
    assert patched is room.model and torch.equal(run(room, patched), run(room, room.model))


def test_outside_the_window_is_bit_equal_and_inside_is_not(room: Any) -> None:
    patched = room.apply(end=0.2)
    for found, wanted in zip(both(room, patched, sigma=0.3), both(room, room.model, sigma=0.3), strict=True):
        assert torch.equal(found, wanted)
    early = both(room, patched, sigma=14.0)[0]
    assert relative_error(early, both(room, room.model, sigma=14.0)[0]) > 1e-5


# C2: the three attentions, written out


def heads(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    q, k, v = (t.unflatten(-1, (4, -1)).transpose(1, 2) for t in (q, k, v))
    weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(dim=-1)
    return (weights @ v).transpose(1, 2).flatten(2)


def written_out(room: Any, model: Any, identity: Any, mask: torch.Tensor, strength: float) -> Any:
    """Text, identity and expression as one plain function per layer, row for row."""
    model = model.clone()
    for n, site in enumerate(room.sites):
        pair = [weight.double() for weight in room.adapter.layers.pairs[n]]

        def cross(q: Any, k: Any, v: Any, options: Any, pair: Any = pair) -> torch.Tensor:
            out = heads(q, k, v)
            h, w = options["activations_shape"][-2:]
            where = F.interpolate(mask[:, None].double(), size=(h, w), mode="nearest").reshape(1, -1, 1)
            batch = len(q) // len(options["cond_or_uncond"])
            for row in range(len(q)):
                negative = options["cond_or_uncond"][row // batch] == 1
                alone = q[row : row + 1]
                for given, part in ((identity, IDENTITY), (room.one, strength * where)):
                    t = (given.nobody if negative else given.somebody).double()
                    out[row] += (part * heads(alone, t @ pair[0].T, t @ pair[1].T))[0]
            return out

        model.set_model_attn2_replace(cross, *site.key)
    return model


def test_text_identity_and_expression_equal_a_plain_loop(room: Any) -> None:
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, 32:96, 64:160] = 1
    identity = room.make(room.tokens.somebody[2:3], room.tokens.somebody[3:4], room.adapter.made)
    stacked = room.apply(room.exact, expression_tokens=identity, weight=IDENTITY)
    stacked = room.apply(stacked, weight=1.3, mask=mask)
    wanted = both(room, written_out(room, room.exact, identity, mask, 1.3))
    plain = both(room, room.exact)
    for found, exact, without in zip(both(room, stacked), wanted, plain, strict=True):
        assert relative_error(found, exact) <= 1e-5
        assert relative_error(found, without) > 1e-3


def test_a_full_mask_is_no_mask(room: Any) -> None:
    masked = room.apply(room.exact, mask=torch.ones(1, HEIGHT, WIDTH))
    for found, wanted in zip(both(room, masked), both(room, room.apply(room.exact)), strict=True):
        assert relative_error(found, wanted) <= 1e-9


# C4: company


def test_the_order_of_adapters_does_not_matter(room: Any) -> None:
    other = room.make(room.tokens.somebody[3:], room.one.nobody, room.adapter.made)
    one_way = room.apply(room.apply(room.exact, expression_tokens=other))
    other_way = room.apply(room.apply(room.exact), expression_tokens=other)
    for a, b in zip(both(room, one_way), both(room, other_way), strict=True):
        assert relative_error(a, b) <= 1e-6


def test_a_common_ip_adapter_before_or_after_is_the_same(room: Any) -> None:
    """Before, it sits in the slot; after, it adds itself to what sits there."""
    keys = [site.key for site in room.sites]
    before = room.apply(add_foreign(room.exact, keys))
    after = add_foreign(room.apply(room.exact), keys)
    alone = both(room, room.apply(room.exact))
    for a, b, c in zip(both(room, before), both(room, after), alone, strict=True):
        assert relative_error(a, b) <= 1e-6
        assert relative_error(a, c) > 1e-4


# C5: rows


def test_negative_rows_get_the_null_tokens(room: Any) -> None:
    others = room.make(room.tokens.somebody[1:2], room.one.nobody, room.adapter.made)
    first, second = (both(room, room.apply(room.exact, expression_tokens=t)) for t in (room.one, others))
    assert relative_error(first[1], second[1]) <= 1e-9
    assert relative_error(first[0], second[0]) > 1e-4
    assert relative_error(first[1], both(room, room.exact)[1]) > 1e-4


def test_negative_rows_may_be_left_alone(room: Any) -> None:
    patched = room.apply(negative="nothing")
    assert torch.equal(both(room, patched)[1], both(room, room.model)[1])
    exact = both(room, room.apply(room.exact, negative="nothing"))
    assert relative_error(exact[0], both(room, room.apply(room.exact))[0]) <= 1e-9
    masked = room.apply(room.exact, negative="nothing", mask=torch.ones(1, HEIGHT, WIDTH))
    assert relative_error(both(room, masked)[0], exact[0]) <= 1e-9


@pytest.mark.parametrize("negative", ["no expression", "nothing"])
def test_together_alone_and_in_any_order_rows_are_the_same(room: Any, negative: str) -> None:
    patched = room.apply(room.exact, negative=negative)
    together = both(room, patched)
    alone = both(room, patched, cfg=1.0)[0]
    assert relative_error(together[0], alone) <= 1e-6
    # A prompt of another length by no small factor: the host runs the two apart.
    longer = [[seeded(1, 77 * 5 + 1, emojidiff.CONTEXT, seed=9), {}]]
    assert relative_error(both(room, patched, negative=longer)[0], together[0]) <= 1e-6
    assert relative_error(both(room, patched, positive=longer)[1], together[1]) <= 1e-6
    two = both(room, patched, positive=[*room.positive, *room.positive])
    assert relative_error(two[0], together[0]) <= 1e-6 and relative_error(two[1], together[1]) <= 1e-6


# Batches: a sequence drives one picture each


@pytest.mark.parametrize("negative", ["no expression", "nothing"])
def test_each_picture_of_a_batch_gets_its_own_expression(room: Any, negative: str) -> None:
    pictures = seeded(4, 4, HEIGHT // 8, WIDTH // 8, seed=8)
    found = both(room, room.apply(room.exact, expression_tokens=room.tokens, negative=negative), pictures)
    for n in range(4):
        one = room.make(room.tokens.somebody[n : n + 1], room.tokens.nobody, room.adapter.made)
        alone = both(
            room, room.apply(room.exact, expression_tokens=one, negative=negative), pictures[n : n + 1]
        )
        for side in (0, 1):
            assert relative_error(found[side][n : n + 1], alone[side]) <= 1e-6


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_expressions_that_fit_no_batch_are_told(room: Any, batch: int) -> None:
    with pytest.raises(ValueError, match=rf"There are 4 expressions for {batch} pictures"):
        run(room, room.apply(expression_tokens=room.tokens), batch)


# Layers


def patched_sites(model: Any) -> dict[Any, Any]:
    slots = model.model_options["transformer_options"].get("patches_replace", {}).get("attn2", {})
    return {key: patch.sources[-1] for key, patch in slots.items()}


@pytest.mark.parametrize(
    ("layers", "layer_list", "parts", "count"),
    [
        ("all", "", {"input", "middle", "output"}, 16),
        ("up_only", "", {"output"}, 9),
        ("mid+up", "", {"middle", "output"}, 10),
        ("custom", "1, 3, 31", {"input", "middle"}, 3),
        ("custom", "13-30", {"output"}, 9),
    ],
)
def test_presets_choose_layers(room: Any, layers: str, layer_list: str, parts: set[str], count: int) -> None:
    found = patched_sites(room.apply(layers=layers, layer_list=layer_list))
    assert len(found) == count and {key[0] for key in found} == parts


@pytest.mark.parametrize("kind", ["sd15", "sdxl"])
def test_every_block_gets_the_layer_of_its_number(pack: Any, host: Any, kind: str) -> None:
    """C6: layer n holds the number n. The list is written out here, not asked of the code."""
    sites = emojidiff.SD15_SITES if kind == "sd15" else emojidiff.SDXL_SITES
    context = emojidiff.CONTEXT * (1 if kind == "sd15" else 2)
    model = host.CheckpointLoaderSimple().load_checkpoint(f"tiny_{kind}.safetensors")[0]
    content = emojidiff.flat(emojidiff.resampler(context), emojidiff.constant_layers(sites, context))
    methods = pack.module("likeness.methods.emojidiff.adapter")
    adapter = methods.parse(content, {}, "tiny")
    ones = torch.zeros(1, 4, context)
    ones[..., 0] = 1
    tokens = pack.module("likeness.adapters").Tokens(ones, ones, adapter.made)
    patched = pack.node("LikenessApplyEAdapter").execute(
        model=model, eadapter=adapter, expression_tokens=tokens
    )[0]
    if kind == "sd15":
        blocks = [*(("input", n, 1) for n in (1, 2, 4, 5, 7, 8)), *(("output", n, 1) for n in range(3, 12))]
        blocks += [("middle", 0, 1)]
    else:
        blocks = [("input", 4, 2), ("input", 5, 2), ("input", 7, 10), ("input", 8, 10)]
        blocks += [*(("output", n, 10) for n in (0, 1, 2)), *(("output", n, 2) for n in (3, 4, 5))]
        blocks += [("middle", 0, 10)]
    order = [(name, number, depth) for name, number, depths in blocks for depth in range(depths)]
    seen = {}
    for key, source in patched_sites(patched).items():
        keys, values = source.keys_values.on(ones)[source.numbers[key]]
        assert torch.equal(keys, values) and len(keys.unique()) == 1
        seen[key] = int(keys.flatten()[0])
    assert seen == {key: 2 * place + 1 for place, key in enumerate(order)}
    assert len(seen) == sites


def test_a_subset_needs_no_flag(pack: Any, room: Any) -> None:
    """Layers that the file leaves out see no expression; the others are those of the same number."""
    wanted = (13, 15, 31)
    content = emojidiff.flat(emojidiff.resampler(), emojidiff.layers(wanted))
    adapter = pack.module("likeness.methods.emojidiff.adapter").parse(content, {}, "tiny")
    subset = room.apply(eadapter=adapter)
    assert set(patched_sites(subset)) == {("output", 3, 0), ("output", 4, 0), ("middle", 0, 0)}
    listed = room.apply(layers="custom", layer_list="13-15, 31")
    assert torch.equal(run(room, subset), run(room, listed))
    fewer = room.apply(eadapter=adapter, layers="up_only")
    assert set(patched_sites(fewer)) == {("output", 3, 0), ("output", 4, 0)}


# Work and sharing


def test_keys_and_values_are_projected_once(pack: Any, room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module = pack.module("likeness.adapters.layers")
    project, calls = module.project, []
    monkeypatch.setattr(module, "project", lambda *given: calls.append(1) or project(*given))
    fresh = room.make(room.tokens.somebody[1:2] * 1.01, room.one.nobody, room.adapter.made)
    patched = room.apply(expression_tokens=fresh)
    assert len(calls) == 1
    weights = {id(w) for pair in room.adapter.layers.pairs for w in pair}
    used: list[int] = []
    linear = F.linear
    monkeypatch.setattr(F, "linear", lambda x, w, *b: used.append(id(w) in weights) or linear(x, w, *b))
    run(room, patched)
    assert used and not any(used) and len(calls) == 1  # while sampling: never again
    room.apply(expression_tokens=fresh)
    assert len(calls) == 1


def test_three_runs_equal_one_and_branches_stay_apart(room: Any) -> None:
    plain, once = run(room, room.model), run(room, room.apply())
    for _ in range(3):
        again = room.apply()
    other = room.apply(
        again, expression_tokens=room.make(room.tokens.somebody[2:3], room.one.nobody, room.adapter.made)
    )
    assert relative_error(run(room, other), once) > 1e-5
    assert torch.equal(run(room, again), once)
    assert torch.equal(run(room, room.model), plain)
