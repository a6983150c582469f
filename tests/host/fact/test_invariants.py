"""What Apply FACT promises, on a tiny real SD1.5 network in the real host. Spec: adapters.md 4.9."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from support import emojidiff, fact_files
from support.fill import fill
from support.golden import Golden, relative_error
from support.sampling import denoise, sample

GOLDEN = Golden("fact")
WIDTH = GOLDEN.meta["unet_config"]["context_dim"]
HEIGHT, ACROSS = GOLDEN.meta["image_size"]
SIGMA = 1.6
EXACT = 1e-6

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any) -> SimpleNamespace:
    """A MODEL in float32 and in float64, adapters without and with norms, two people, the node."""
    model = GOLDEN.model("SD15")
    sites = pack.module("likeness.attention.sites").attention_sites(model.model.diffusion_model)
    hidden = [site.hidden for site in sites]
    method = pack.module("likeness.methods.fact")
    fact = method.parse(fact_files.adapter(hidden, WIDTH), {}, "tiny")
    normed = method.parse(fact_files.adapter(hidden, WIDTH, norms=True), {}, "tiny")
    local = GOLDEN["out.local_tokens"]
    people = [method.identity_tokens(fact, local[part]) for part in (slice(0, 2), slice(2, 3))]
    node = pack.node("LikenessApplyFACT")

    def apply(model: Any = model, **inputs: Any) -> Any:
        given = {"fact": fact, "fact_tokens": people[0], "weight": 0.5, **inputs}
        return node.execute(model=model, **given)[0]

    return SimpleNamespace(
        model=model,
        exact=GOLDEN.model("SD15", dtype=torch.float64),
        fact=fact,
        normed=normed,
        hidden=hidden,
        sites=sites,
        people=people,
        local=local,
        apply=apply,
        method=method,
    )


def conditioning(side: str, prompt: torch.Tensor | None = None) -> list[Any]:
    return [[GOLDEN[f"in.{side}"] if prompt is None else prompt, {}]]


def run(model: Any) -> torch.Tensor:
    return sample(model, conditioning("positive"), conditioning("negative"), GOLDEN["in.x"] * 14.6)


def rows(model: Any, x: torch.Tensor | None = None, **more: Any) -> tuple[torch.Tensor, torch.Tensor]:
    x = GOLDEN["in.x"] * 2 if x is None else x
    sigma, cfg = more.pop("sigma", SIGMA), more.pop("cfg", 5.0)
    return denoise(model, conditioning("positive", **more), conditioning("negative"), x, sigma, cfg)


def differ(a: torch.Tensor, b: torch.Tensor) -> bool:
    return relative_error(a, b) > 1e-4


def somewhere() -> torch.Tensor:
    mask = torch.zeros(1, HEIGHT, ACROSS)
    mask[:, 32:96, 64:160] = 1
    return mask


# Nothing to do


@pytest.mark.parametrize(
    "inputs",
    [{"weight": 0.0}, {"start": 0.4, "end": 0.4}, {"mask": torch.zeros(1, HEIGHT, ACROSS)}],
    ids=["weight 0", "window", "empty mask"],
)
def test_nothing_to_do_is_the_model_itself(room: Any, inputs: dict[str, Any]) -> None:
    assert room.apply(**inputs) is room.model


def test_closed_gates_are_bit_equal(room: Any) -> None:
    closed = room.method.parse(fact_files.adapter(room.hidden, WIDTH, [(0.0, 0.0)] * 16), {}, "tiny")
    found = rows(room.apply(fact=closed))
    assert all(torch.equal(a, b) for a, b in zip(found, rows(room.model), strict=True))


def test_outside_its_window_a_model_is_bit_equal(room: Any) -> None:
    model = room.apply(end=0.1)
    for sigma, same in ((0.2, True), (14.0, False)):
        found, wanted = (rows(m, GOLDEN["in.x"], sigma=sigma)[0] for m in (model, room.model))
        assert torch.equal(found, wanted) == same


def test_weight_and_person_change_the_picture(room: Any) -> None:
    plain, full, weak, other = map(
        run, (room.model, room.apply(), room.apply(weight=0.05), room.apply(fact_tokens=room.people[1]))
    )
    assert differ(full, plain) and differ(other, full)
    assert relative_error(weak, plain) < relative_error(full, plain)


# Photos


def test_the_order_of_photos_does_not_matter_and_copies_do(room: Any) -> None:
    make = room.method.identity_tokens
    found = [
        rows(room.apply(fact_tokens=make(room.fact, room.local[n]))) for n in ([0, 1], [1, 0], [0, 1, 1])
    ]
    assert all(relative_error(a, b) < 1e-5 for a, b in zip(found[0], found[1], strict=True))
    assert differ(found[2][0], found[0][0])


# Norms


def test_norms_take_their_place_at_any_weight(room: Any) -> None:
    replaced = GOLDEN.model("SD15")
    state = replaced.model.diffusion_model.state_dict()
    names = [key for key in state if "norm2" in key]
    content = fact_files.adapter(room.hidden, WIDTH, norms=True)
    assert len(names) == 32
    modules = dict(replaced.model.diffusion_model.named_modules())
    for number, site in enumerate(room.sites):
        block = next(m for n, m in modules.items() if n.endswith("norm2") and _place(n) == site.key[:2])
        for part in ("weight", "bias"):
            getattr(block, part).data.copy_(content[f"{fact_files.processor(number)}.ln.{part}"])
    for weight in (0.0, 0.5):
        found = rows(room.apply(fact=room.normed, weight=weight))
        wanted = rows(room.apply(model=replaced, weight=weight))
        assert all(relative_error(a, b) < EXACT for a, b in zip(found, wanted, strict=True))
    assert differ(rows(room.apply(fact=room.normed, weight=0.0))[0], rows(room.model)[0])
    assert differ(rows(room.apply(fact=room.normed, end=0.0))[0], rows(room.model)[0])


def test_of_two_files_with_norms_the_later_has_its_way(room: Any) -> None:
    content = fact_files.adapter(room.hidden, WIDTH, norms=True)
    turned = {key: value.flip(0) if ".ln." in key else value for key, value in content.items()}
    other = room.method.parse(turned, {}, "tiny")
    one_by_one = room.apply(room.apply(fact=room.normed, weight=0.0), fact=other, weight=0.0)
    found, wanted, first = (
        rows(model)[0]
        for model in (
            one_by_one,
            room.apply(fact=other, weight=0.0),
            room.apply(fact=room.normed, weight=0.0),
        )
    )
    assert torch.equal(found, wanted) and differ(found, first)
    plain = rows(room.model)[0]
    own = room.method.parse(own_norms(room), {}, "tiny")
    back = room.apply(room.apply(fact=room.normed, weight=0.0), fact=own, weight=0.0)
    assert relative_error(rows(back)[0], plain) < EXACT


def own_norms(room: Any) -> dict[str, torch.Tensor]:
    """A file whose norms are the model's own, which must lie there unpatched."""
    state = room.model.model.diffusion_model.state_dict()
    content: dict[str, torch.Tensor] = fact_files.adapter(room.hidden, WIDTH, norms=True)
    for number, site in enumerate(room.sites):
        (name,) = (k for k in state if k.endswith("norm2.weight") and _place(k) == site.key[:2])
        for part in ("weight", "bias"):
            value = state[name.replace("weight", part)]
            content[f"{fact_files.processor(number)}.ln.{part}"] = value.clone()
    return content


def _place(name: str) -> tuple[str, int]:
    kind, number, *_ = name.split(".")
    return (
        (kind.removesuffix("_block"), 0)
        if kind == "middle_block"
        else (kind.removesuffix("_blocks"), int(number))
    )


def test_norms_that_are_the_models_own_are_left_alone(room: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    own = room.method.parse(own_norms(room), {}, "tiny")
    assert room.apply(fact=own, weight=0.0) is room.model
    assert "19 tensors in each layer): the model's own" in caplog.text
    run(room.apply(fact=room.normed))  # and also while the MODEL lies patched
    assert room.apply(fact=own, weight=0.0) is room.model


# Rows


def test_order_and_batching_of_rows_do_not_matter(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import comfy.samplers

    model = room.apply(model=room.exact, mask=somewhere())
    together = rows(model)

    def turned(args: dict[str, Any]) -> Any:
        conds, calc = list(reversed(args["conds"])), comfy.samplers.calc_cond_batch
        return calc(args["model"], conds, args["input"], args["sigma"], args["model_options"])[::-1]

    swapped = model.clone()
    swapped.model_options["sampler_calc_cond_batch_function"] = turned
    long = torch.cat([GOLDEN["in.positive"], GOLDEN["in.negative"].flip(1)], dim=1)
    uneven = rows(model, prompt=long)
    found = [(rows(swapped), together)]
    monkeypatch.setattr(comfy.samplers, "can_concat_cond", lambda a, b: a is b)
    found += [(rows(model), together), (rows(model, prompt=long), uneven)]
    for some, wanted in found:
        assert all(relative_error(a, b) < EXACT for a, b in zip(some, wanted, strict=True))
    assert relative_error(rows(model, cfg=1.0)[0], together[0]) < EXACT


def test_a_batch_of_three_with_a_mask_each(room: Any) -> None:
    x = torch.cat([GOLDEN["in.x"] * size for size in (1, 2, 3)])
    masks = torch.cat([somewhere(), somewhere().flip(2), torch.ones(1, HEIGHT, ACROSS)])
    found = rows(room.apply(model=room.exact, mask=masks), x)
    for place in range(3):
        single = rows(room.apply(model=room.exact, mask=masks[place : place + 1]), x[place : place + 1])
        assert all(
            relative_error(a[place : place + 1], b) < EXACT for a, b in zip(found, single, strict=True)
        )
    none, whole = (rows(room.apply(model=room.exact, mask=m)) for m in (None, torch.ones(1, HEIGHT, ACROSS)))
    assert all(relative_error(a, b) < 1e-9 for a, b in zip(none, whole, strict=True))


# Sharing


def test_three_runs_of_the_node_equal_one_and_the_base_stays(room: Any) -> None:
    before, once = run(room.model), run(room.apply())
    tokens = room.people[0].somebody.clone()
    for _ in range(3):
        model = room.apply()
    assert torch.equal(run(model), once) and torch.equal(run(room.model), before)
    assert "middle_patch" not in room.model.model_options["transformer_options"].get("patches", {})
    assert torch.equal(room.people[0].somebody, tokens)


def test_the_host_is_given_the_gates_and_nothing_stays_after_sampling(room: Any) -> None:
    model = room.apply()
    (patch,) = model.model_options["transformer_options"]["patches"]["middle_patch"]
    assert model.model_patches_models() == [patch.source.network]
    assert room.apply().model_patches_models() == [patch.source.network], "one network for all"
    run(model)
    assert patch.source.keys_values._lent == {} and patch.to("cpu") is patch


# Company


def test_people_and_other_methods_equal_a_plain_loop_in_any_order(room: Any, pack: Any) -> None:
    """Two people behind each other in the gates, an expression beside the text, connected in any order."""
    layers = {
        f"{2 * n + 1}.to_{half}_ip.weight": fill(f"{n}{half}", (site.hidden, WIDTH))
        for n, site in enumerate(room.sites)
        for half in "kv"
    }
    parse = pack.module("likeness.methods.arc2face.expression").parse
    adapter = parse({"image_proj": emojidiff.flame(WIDTH), "ip_adapter": layers}, "tiny")
    shown = pack.module("likeness.values").Expression(torch.linspace(-1, 1, 55)[None])
    made = pack.module("likeness.methods.arc2face.expression").expression_tokens(adapter, shown)
    node = pack.node("LikenessApplyExpression")
    masks = somewhere(), somewhere().flip(2)
    steps = {
        "first": lambda m: room.apply(m, mask=masks[0]),
        "second": lambda m: room.apply(m, fact_tokens=room.people[1], weight=0.8, mask=masks[1]),
        "expression": lambda m: node.execute(
            model=m, expression_adapter=adapter, expression=shown, weight=0.7
        )[0],
    }
    wanted = rows(_written_out(room, pack, adapter, made, masks))
    plain = rows(room.exact)
    for order in permutations(steps):
        if order.index("first") > order.index("second"):
            continue  # gates are no sums: the second looks at what the first drew
        model = room.exact
        for name in order:
            model = steps[name](model)
        for found, exact, without in zip(rows(model), wanted, plain, strict=True):
            assert relative_error(found, exact) < 1e-5, order
            assert relative_error(found, without) > 1e-3


def _written_out(room: Any, pack: Any, adapter: Any, shown: Any, masks: Any) -> Any:
    """The host's own gated layers and plain attention, row for row."""
    build = pack.module("likeness.host.gated").gated_network
    heads = [site.heads for site in room.sites]
    network = build(room.fact.layers.layers, heads, torch.float64).model
    model, places = room.exact.clone(), {site.key: n for n, site in enumerate(room.sites)}

    def where(mask: torch.Tensor, options: dict[str, Any]) -> torch.Tensor:
        h, w = options["activations_shape"][-2:]
        return F.interpolate(mask[:, None].double(), size=(h, w), mode="nearest").reshape(1, -1, 1)

    def gates(x: torch.Tensor, options: dict[str, Any]) -> torch.Tensor:
        layer = network[places[(*options["block"], options["block_index"])]]
        for tokens, weight, mask in zip(room.people, (0.5, 0.8), masks, strict=True):
            sides = options["cond_or_uncond"]
            objects = torch.cat([tokens.nobody if side else tokens.somebody for side in sides]).double()
            both = layer.norm1(torch.cat([x, layer.linear(objects)], dim=1))
            attended = layer.attn(both)[:, : x.shape[1]]
            x = x + weight * where(mask, options) * torch.tanh(layer.alpha_attn) * attended
            x = x + weight * where(mask, options) * torch.tanh(layer.alpha_dense) * layer.ff(layer.norm2(x))
        return x

    def cross(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: dict[str, Any]) -> torch.Tensor:
        pair = adapter.layers.pairs[places[(*options["block"], options["block_index"])]]
        t = torch.cat([shown.nobody if s else shown.somebody for s in options["cond_or_uncond"]]).double()
        text, extra = ((k, v), (t @ pair[0].double().T, t @ pair[1].double().T))
        return attention(q, *text, options["n_heads"]) + 0.7 * attention(q, *extra, options["n_heads"])

    model.set_model_patch(gates, "middle_patch")
    for site in room.sites:
        model.set_model_attn2_replace(cross, *site.key)
    return model


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, heads: int) -> torch.Tensor:
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
    weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(dim=-1)
    return (weights @ v).transpose(1, 2).flatten(2)


# Precision


def test_half_precision(room: Any) -> None:
    half = room.apply(model=GOLDEN.model("SD15", torch.bfloat16))
    (patch,) = half.model_options["transformer_options"]["patches"]["middle_patch"]
    assert {weight.dtype for weight in patch.source.network.model.parameters()} == {torch.bfloat16}
    found, wanted = rows(half)[0].float(), rows(room.apply())[0]
    assert torch.isfinite(found).all() and relative_error(found, wanted) < 0.05


# What does not fit


def test_another_base_is_refused(room: Any, host: Any) -> None:
    another = host.CheckpointLoaderSimple().load_checkpoint("tiny_sdxl.safetensors")[0]
    with pytest.raises(ValueError, match=r"width 128, but tiny was made for 64.*needs an SD1.5 model"):
        room.apply(model=another)
    fewer = GOLDEN.model("SD15", transformer_depth=[1, 1, 1, 1, 0, 0, 0, 0])
    with pytest.raises(ValueError, match="whose 14 attention layers are not the 16 of tiny"):
        room.apply(model=fewer)


def test_no_u_net_is_refused(room: Any) -> None:
    flux = SimpleNamespace(
        model=SimpleNamespace(
            diffusion_model=torch.nn.Linear(2, 2),
            model_config=SimpleNamespace(),
            get_dtype_inference=lambda: torch.float32,
        )
    )
    with pytest.raises(ValueError, match="which has no U-Net cross-attention"):
        room.apply(model=flux)


def test_tokens_of_another_file_are_refused(room: Any) -> None:
    with pytest.raises(ValueError, match=r"fact_tokens were made with tiny.*connect the same Load FACT"):
        room.apply(fact=replace(room.fact, file="another place"))


@pytest.mark.parametrize(
    ("inputs", "saying"),
    [
        ({"start": 0.6, "end": 0.2}, "start .0.6. is after end"),
        ({"weight": -0.1}, "can't be less than 0"),
        ({"mask": torch.ones(1, 4, 4, 4)}, r"mask must be \[B, H, W\]"),
        ({"mask": torch.full((1, 8, 8), torch.nan)}, "mask holds NaN"),
    ],
)
def test_bad_settings_say_so(room: Any, inputs: dict[str, Any], saying: str) -> None:
    with pytest.raises(ValueError, match=saying):
        room.apply(**inputs)


def test_a_mask_of_another_shape_is_refused(room: Any) -> None:
    with pytest.raises(ValueError, match="mask is 8x8 but the picture is 192x128"):
        rows(room.apply(mask=torch.ones(1, 8, 8)))
