"""What the engine promises, for expression and reference: rows, branches, windows, stacking."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from support.fill import fill
from support.golden import Golden, relative_error
from support.sampling import denoise, sample

GOLDEN = Golden("arc2face")
HEIGHT, WIDTH = 128, 192
TOKEN_WIDTH = GOLDEN.meta["unet_config"]["context_dim"]
SIGMA = 1.6
HEADS = 2

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any) -> SimpleNamespace:
    """A MODEL, its exact twin in float64, and the two nodes with the rest filled in."""
    model = GOLDEN.model("SD15")
    sites = pack.module("likeness.attention.sites").attention_sites
    image_proj = {"proj.weight": fill("p", (4 * TOKEN_WIDTH, 55)), "proj.bias": fill("b", (4 * TOKEN_WIDTH,))}
    image_proj |= {"norm.weight": fill("n.weight", (TOKEN_WIDTH,)), "norm.bias": fill("n", (TOKEN_WIDTH,))}
    cross = sites(model.model.diffusion_model)
    layers = {
        f"{2 * n + 1}.to_{kind}_ip.weight": fill(f"{n}{kind}", (site.hidden, TOKEN_WIDTH))
        for n, site in enumerate(cross)
        for kind in "kv"
    }
    methods = pack.module("likeness.methods.arc2face.expression")
    adapter = methods.parse({"image_proj": image_proj, "ip_adapter": layers}, "tiny")
    expression = pack.module("likeness.values").Expression(GOLDEN["in.expression"])
    vae = SimpleNamespace(encode=lambda image: GOLDEN["in.reference_latent"] / 0.18215)

    def express(model: Any = model, **inputs: Any) -> Any:
        given = {"expression_adapter": adapter, "expression": expression}
        return pack.node("LikenessApplyExpression").execute(model=model, **{**given, **inputs})[0]

    def refer(model: Any = model, **inputs: Any) -> Any:
        given = {"vae": vae, "image": torch.zeros(1, HEIGHT, WIDTH, 3), "positive": positive()}
        return pack.node("LikenessApplyReference").execute(model=model, **{**given, **inputs})[0]

    tokens = methods.expression_tokens(adapter, expression).both
    return SimpleNamespace(
        model=model,
        exact=GOLDEN.model("SD15", dtype=torch.float64),
        adapter=adapter,
        tokens=tokens,
        cross=cross,
        self_sites=sites(model.model.diffusion_model, "attn1"),
        express=express,
        refer=refer,
        bank=pack.module("likeness.methods.arc2face.reference").write_bank,
    )


def positive() -> list[Any]:
    return [[GOLDEN["in.positive"], {}]]


def negative() -> list[Any]:
    return [[GOLDEN["in.negative"], {}]]


def run(model: Any, cfg: float = 3.0) -> torch.Tensor:
    return sample(model, positive(), negative(), GOLDEN["in.x"] * 14.6, cfg)


def both(
    model: Any, x: torch.Tensor | None = None, sigma: float = SIGMA
) -> tuple[torch.Tensor, torch.Tensor]:
    return denoise(model, positive(), negative(), GOLDEN["in.x"] if x is None else x, sigma)


@pytest.mark.parametrize(
    "inputs", [{"weight": 0.0}, {"start": 0.5, "end": 0.5}], ids=["weight 0", "empty window"]
)
@pytest.mark.parametrize("node", ["express", "refer"])
def test_nothing_to_do_is_bit_equal(room: Any, node: str, inputs: dict[str, Any]) -> None:
    assert torch.equal(run(getattr(room, node)(**inputs)), run(room.model))


def test_an_empty_mask_is_bit_equal(room: Any) -> None:
    assert torch.equal(run(room.express(mask=torch.zeros(1, HEIGHT, WIDTH))), run(room.model))


@pytest.mark.parametrize("node", ["express", "refer"])
def test_outside_the_window_is_bit_equal_and_inside_is_not(room: Any, node: str) -> None:
    patched = getattr(room, node)(end=0.2)
    late, early = (both(patched, sigma=s) for s in (0.3, 14.0))
    assert all(torch.equal(a, b) for a, b in zip(late, both(room.model, sigma=0.3), strict=True))
    assert relative_error(early[0], both(room.model, sigma=14.0)[0]) > 1e-5


def test_negative_rows_do_not_see_the_reference(room: Any) -> None:
    patched, plain = both(room.refer(room.exact)), both(room.exact)
    assert relative_error(patched[1], plain[1]) <= 1e-6
    assert relative_error(patched[0], plain[0]) > 1e-3


def test_rows_together_equal_rows_alone(room: Any) -> None:
    patched = room.express(room.refer(room.exact))
    together = both(patched)
    alone = denoise(patched, positive(), negative(), GOLDEN["in.x"], SIGMA, cfg=1.0)[0]
    assert relative_error(together[0], alone) <= 1e-6
    batch = torch.cat([GOLDEN["in.x"], GOLDEN["in.x"].flip(-1)])
    pair = both(patched, batch)
    for side in (0, 1):
        assert relative_error(pair[side][:1], together[side]) <= 1e-6
        assert relative_error(pair[side][1:], both(patched, batch[1:])[side]) <= 1e-6


def test_weight_blends(room: Any) -> None:
    """Weight 1 is the published method; nothing jumps on the way there."""
    plain, half, full = (
        both(m)[0] for m in (room.exact, room.refer(room.exact, weight=0.5), room.refer(room.exact))
    )
    almost = both(room.refer(room.exact, weight=0.999))[0]
    assert relative_error(half, plain) > 1e-4 and relative_error(half, full) > 1e-4
    assert relative_error(almost, full) < relative_error(half, full) / 50


def test_three_runs_equal_one_and_branches_stay_apart(room: Any) -> None:
    base, once = run(room.model), run(room.refer(room.express()))
    for _ in range(3):
        again = room.refer(room.express())
    assert torch.equal(run(again), once)
    assert torch.equal(run(room.model), base)


def test_the_bank_s_keys_are_projected_once_per_run_and_let_go(room: Any) -> None:
    patched = room.refer()
    slots = patched.model_options["transformer_options"]["patches_replace"]["attn1"]
    source = next(iter(slots.values())).sources[0]
    counted = []
    module = room.model.model.diffusion_model.middle_block[1].transformer_blocks[0].attn1.to_k
    rows = source.bank[("middle", 0, 0)].shape[1]
    hook = module.register_forward_pre_hook(lambda m, args: counted.append(args[0].shape[:2] == (1, rows)))
    run(patched)
    hook.remove()
    assert source._projected == {}
    # Once for the bank; three steps of the picture itself have two rows.
    assert counted.count(True) == 1 and len(counted) == 4


@pytest.mark.parametrize("size", [(8, 8), (24, 16)])
def test_a_reference_of_another_size(room: Any, size: tuple[int, int]) -> None:
    latent = torch.randn(1, 4, *size, generator=torch.Generator().manual_seed(3))
    vae = SimpleNamespace(encode=lambda image: latent)
    found = run(room.refer(vae=vae, image=torch.zeros(1, size[0] * 8, size[1] * 8, 3)))
    assert torch.isfinite(found).all() and relative_error(found, run(room.model)) > 1e-4


def test_two_reference_pictures_are_both_looked_at(room: Any) -> None:
    latents = torch.cat([GOLDEN["in.reference_latent"], GOLDEN["in.reference_latent"].flip(-1)]) / 0.18215
    pictures = torch.zeros(2, HEIGHT, WIDTH, 3)
    two = room.refer(vae=SimpleNamespace(encode=lambda image: latents), image=pictures)
    one = room.refer()
    assert relative_error(run(two), run(one)) > 1e-5
    twice = torch.cat([latents[:1]] * 2)
    same = room.refer(room.exact, vae=SimpleNamespace(encode=lambda image: twice), image=pictures)
    # The same picture twice is not once: it has twice the say against the picture's own tokens.
    assert relative_error(both(same)[0], both(room.refer(room.exact))[0]) > 1e-6


def test_the_reference_lora_reaches_the_picture_not_the_bank(room: Any, base: Any, pack: Any) -> None:
    module, size = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_k", room.self_sites[0].hidden
    generator = torch.Generator().manual_seed(1)
    down, up = torch.randn(2, size, generator=generator), torch.randn(size, 2, generator=generator)
    path = base / "models" / "loras" / "reference.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({f"unet.{module}.lora_A.weight": down, f"unet.{module}.lora_B.weight": up}, path)
    patched = room.refer(lora=path.name, lora_strength=0.5)
    key = "diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_k.weight"
    (strength, _, _, _, _), *others = patched.patches[key]
    assert strength == 0.5 and not others and set(patched.patches) == {key}
    assert relative_error(run(patched), run(room.refer())) > 1e-5
    slots = [
        m.model_options["transformer_options"]["patches_replace"]["attn1"]
        for m in (patched, room.refer(patched))
    ]
    banks = [next(iter(s.values())).sources[0].bank for s in slots]
    assert all(torch.equal(banks[0][site.key], banks[1][site.key]) for site in room.self_sites)


def heads(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    q, k, v = (t.unflatten(-1, (HEADS, -1)).transpose(1, 2) for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def plain_loop(room: Any, model: Any, mask: torch.Tensor, size: float) -> Any:
    """Expression, reference, mask and a foreign patch as one plain function per layer, written out."""
    model = model.clone()
    bank = room.bank(model, GOLDEN["in.reference_latent"], GOLDEN["in.positive"])
    network = model.model.diffusion_model
    for n, site in enumerate(room.cross):
        to_k, to_v = (w.double() for w in room.adapter.layers.pairs[n])

        def cross(q: Any, k: Any, v: Any, options: Any, to_k: Any = to_k, to_v: Any = to_v) -> torch.Tensor:
            out = heads(q, k, v) + size * torch.tanh(q)
            h, w = options["activations_shape"][-2:]
            where = F.interpolate(mask[:, None], size=(h, w), mode="nearest").reshape(1, -1, 1)
            batch = len(q) // len(options["cond_or_uncond"])
            for row in range(len(q)):
                role = 1 - options["cond_or_uncond"][row // batch]
                t = room.tokens[role : role + 1].double()
                out[row] += (0.7 * where * heads(q[row : row + 1], t @ to_k.T, t @ to_v.T))[0]
            return out

        model.set_model_attn2_replace(cross, *site.key)
    for site in room.self_sites:
        name, number, depth = site.key
        block = network.middle_block if name == "middle" else getattr(network, f"{name}_blocks")[number]
        layer = block[1].transformer_blocks[depth].attn1
        stored = bank[site.key].double()

        def own(
            q: Any, k: Any, v: Any, options: Any, layer: Any = layer, stored: Any = stored
        ) -> torch.Tensor:
            out = heads(q, k, v)
            batch = len(q) // len(options["cond_or_uncond"])
            for row in range(len(q)):
                if options["cond_or_uncond"][row // batch] == 0:
                    keys = torch.cat([k[row : row + 1], layer.to_k(stored)], dim=1)
                    values = torch.cat([v[row : row + 1], layer.to_v(stored)], dim=1)
                    out[row] = heads(q[row : row + 1], keys, values)[0]
            return out

        model.set_model_attn1_replace(own, *site.key)
    return model


@pytest.mark.parametrize("order", ["erf", "ref", "fer", "rfe", "efr", "fre"])
def test_stacked_in_any_order_equals_the_plain_loop(room: Any, order: str) -> None:
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[..., : WIDTH // 2] = 1

    class Foreign:
        """An IP-Adapter-type patch of another pack, in the protocol of the common ones."""

        def __call__(self, q: Any, k: Any, v: Any, extra_options: Any) -> torch.Tensor:
            from comfy.ldm.modules.attention import optimized_attention

            return optimized_attention(q, k, v, extra_options["n_heads"]) + 0.3 * torch.tanh(q)

    def foreign(model: Any) -> Any:
        model = model.clone()
        for site in room.cross:
            slots = model.model_options["transformer_options"].get("patches_replace", {}).get("attn2", {})
            if site.key in slots:
                part = {"sigma_start": 1e9, "sigma_end": 0.0}
                slots[site.key].add(lambda out, q, k, v, extra_options, **_: 0.3 * torch.tanh(q), **part)
            else:
                model.set_model_attn2_replace(Foreign(), *site.key)
        return model

    steps = {"e": lambda m: room.express(m, mask=mask, weight=0.7), "r": room.refer, "f": foreign}
    model = room.exact
    for step in order:
        model = steps[step](model)
    wanted = both(plain_loop(room, room.exact, mask.double(), 0.3))
    for found, target in zip(both(model), wanted, strict=True):
        assert relative_error(found, target) <= 1e-6


# Guiders that number their prompts in another order, and weights that change between calls


def dual(model: Any, sides: tuple[Any, Any, Any]) -> torch.Tensor:
    """One call through the host's guider for two positives: (first, second, negative)."""
    import comfy.samplers
    from comfy_extras.nodes_custom_sampler import Guider_DualCFG

    def once(wrapped: Any, x: Any, sigmas: Any, extra_args: Any = None, **_: Any) -> Any:
        return wrapped(GOLDEN["in.x"], sigmas[:1], **(extra_args or {}))

    guider = Guider_DualCFG(model)
    guider.set_conds(*sides)
    guider.set_cfg(3.0, 3.0)
    nothing = torch.zeros_like(GOLDEN["in.x"])
    sampler = comfy.samplers.KSAMPLER(once)
    return guider.sample(nothing, nothing, sampler, torch.tensor([SIGMA, 0.0]), disable_pbar=True, seed=0)


@pytest.mark.parametrize("node", ["express", "refer"])
def test_a_guider_with_another_order_of_prompts(room: Any, node: str) -> None:
    """With the same prompt twice, guidance by two positives is ordinary guidance."""
    patched = getattr(room, node)(room.exact)
    first, second = denoise(patched, positive(), negative(), GOLDEN["in.x"], SIGMA)
    wanted = room.exact.model.process_latent_out(second + 3.0 * (first - second))
    assert relative_error(dual(patched, (positive(), positive(), negative())), wanted) <= 1e-6
    plain = dual(room.exact, (positive(), positive(), negative()))
    assert relative_error(wanted, plain) > 1e-4


def test_a_lora_hook_on_one_prompt_reaches_the_bank_there_alone(room: Any) -> None:
    import comfy.hooks

    key = "diffusion_model.middle_block.1.transformer_blocks.0.attn1.to_k.weight"
    shape = room.model.model.state_dict()[key].shape
    change = {key: ("diff", (torch.randn(shape, generator=torch.Generator().manual_seed(2)),))}
    group = comfy.hooks.HookGroup()
    hook = comfy.hooks.WeightHook(strength_model=1.0)
    hook.weights, hook.need_weight_init = change, False
    group.add(hook)
    patched = room.refer()
    # Hooks make the host clone MODELs without dynamic loading; on the CPU they are that already.
    hooked = [[positive()[0][0], {"hooks": group}]]

    def first(conds: Any) -> torch.Tensor:
        return denoise(patched, conds, negative(), GOLDEN["in.x"], SIGMA)[0]

    wanted = (first(positive()) + first(hooked)) / 2
    assert relative_error(first(positive()), first(hooked)) > 1e-5
    for both_prompts in ([*positive(), *hooked], [*hooked, *positive()]):
        assert relative_error(first(both_prompts), wanted) <= 1e-5


@pytest.mark.parametrize("first", [True, False])
def test_a_sampling_patch_before_or_after_moves_the_window_alike(room: Any, first: bool) -> None:
    import comfy.model_sampling

    class Steeper(comfy.model_sampling.ModelSamplingDiscrete):
        def percent_to_sigma(self, percent: float) -> float:
            return super().percent_to_sigma(min(1.0, percent * 1.5))

    class Sampling(Steeper, comfy.model_sampling.EPS):
        pass

    def with_sampling(model: Any) -> Any:
        model = model.clone()
        model.add_object_patch("model_sampling", Sampling(model.model.model_config))
        return model

    patched = (
        room.express(with_sampling(room.model), end=0.5) if first else with_sampling(room.express(end=0.5))
    )
    plain = with_sampling(room.model)
    sampling = plain.get_model_object("model_sampling")
    edge = sampling.percent_to_sigma(0.5)
    late, early = edge * 0.99, edge * 1.01
    assert torch.equal(both(patched, sigma=late)[0], both(plain, sigma=late)[0])
    assert not torch.equal(both(patched, sigma=early)[0], both(plain, sigma=early)[0])


def test_a_reference_is_scaled_as_its_model_says_whatever_was_drawn_before(room: Any) -> None:
    """A drawing leaves its MODEL's objects in the network that all clones share."""
    from comfy.latent_formats import SDXL_Playground_2_5

    drawn = run(room.refer())
    other = room.model.clone()
    other.add_object_patch("latent_format", SDXL_Playground_2_5())
    run(other)
    assert torch.equal(run(room.refer()), drawn)
