"""What FreeCure's guider promises, on tiny real networks in the real host. Spec B.8."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.freecure_runs import HEIGHT, STEPS, WIDTH, Room, differ, plain, run
from support.golden import relative_error

EXACT = 1e-10

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any) -> Room:
    return Room(pack)


# B1, B2, B15: what is not repaired is what the host would have drawn


#: All that the host has but dpm_adaptive, which is refused.
SAMPLERS = [
    "euler",
    "euler_cfg_pp",
    "euler_ancestral",
    "euler_ancestral_cfg_pp",
    "heun",
    "heunpp2",
    "exp_heun_2_x0",
    "exp_heun_2_x0_sde",
    "dpm_2",
    "dpm_2_ancestral",
    "lms",
    "dpm_fast",
    "dpmpp_2s_ancestral",
    "dpmpp_2s_ancestral_cfg_pp",
    "dpmpp_sde",
    "dpmpp_sde_gpu",
    "dpmpp_2m",
    "dpmpp_2m_cfg_pp",
    "dpmpp_2m_sde",
    "dpmpp_2m_sde_gpu",
    "dpmpp_2m_sde_heun",
    "dpmpp_2m_sde_heun_gpu",
    "dpmpp_3m_sde",
    "dpmpp_3m_sde_gpu",
    "ddpm",
    "lcm",
    "ipndm",
    "ipndm_v",
    "deis",
    "res_multistep",
    "res_multistep_cfg_pp",
    "res_multistep_ancestral",
    "res_multistep_ancestral_cfg_pp",
    "gradient_estimation",
    "gradient_estimation_cfg_pp",
    "er_sde",
    "seeds_2",
    "seeds_3",
    "sa_solver",
    "sa_solver_pece",
    "ddim",
    "uni_pc",
    "uni_pc_bh2",
]


def test_every_sampler_of_the_host_is_here(host: Any) -> None:
    import comfy.samplers

    assert {*SAMPLERS, "dpm_adaptive"} == set(comfy.samplers.SAMPLER_NAMES)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_each_half_is_what_it_would_be_alone(room: Any, sampler: str) -> None:
    # So weak that nothing of the foundation arrives, and the steps have to be the same all the same.
    guider = room.guide(strength=-30.0, layers="16")
    found = run(guider, room.noise, sampler)
    alone = [plain(room, model, room.noise, sampler=sampler) for model in (room.personalised, room.base)]
    assert relative_error(found, alone[0]) < 1e-5
    assert relative_error(guider.foundation_latent, alone[1]) < 1e-5
    assert differ(*alone)


def test_each_half_has_the_churn_it_would_have_alone(room: Any) -> None:
    """The host draws that noise without a seed, from the stream that the start noise came from."""
    import comfy.samplers

    def seeded(draw: Any, *args: Any) -> torch.Tensor:
        torch.manual_seed(5)
        result: torch.Tensor = draw(*args, sampler=comfy.samplers.ksampler("euler", {"s_churn": 1.0}))
        return result

    guider = room.guide(mask=None)
    found = seeded(run, guider, room.noise)
    assert torch.equal(found, seeded(plain, room, room.personalised, room.noise))
    assert torch.equal(guider.foundation_latent, seeded(plain, room, room.base, room.noise))
    assert differ(found, plain(room, room.personalised, room.noise))


@pytest.mark.parametrize("mask", [None, torch.zeros(1, HEIGHT, WIDTH)], ids=["absent", "empty"])
@pytest.mark.parametrize("mode", ["code", "paper_masked"])
def test_without_a_mask_every_step_is_the_personalised_models_own(room: Any, mask: Any, mode: str) -> None:
    steps: list[tuple[torch.Tensor, torch.Tensor]] = [], []

    def note(kept: list[torch.Tensor]) -> Any:
        return lambda step, denoised, x, total: kept.extend([denoised.clone(), x.clone()])

    found = run(room.guide(mask=mask, mode=mode), room.noise, callback=note(steps[0]))
    wanted = plain(room, room.personalised, room.noise, callback=note(steps[1]))
    # The foundation's steps come first.
    assert torch.equal(found, wanted) and len(steps[0]) == 2 * len(steps[1]) == 4 * STEPS
    assert all(torch.equal(a, b) for a, b in zip(steps[0][2 * STEPS :], steps[1], strict=True))


def test_an_empty_window_changes_nothing(room: Any) -> None:
    alone = plain(room, room.personalised, room.noise)
    assert torch.equal(run(room.guide(start=0.4, end=0.4), room.noise), alone)


def test_a_window_acts_in_its_steps_only(room: Any) -> None:
    seen: dict[str, list[torch.Tensor]] = {"late": [], "plain": []}

    def note(name: str) -> Any:
        return lambda step, denoised, x, total: seen[name].append(denoised.clone())

    run(room.guide(start=0.5), room.noise, steps=4, callback=note("late"))
    plain(room, room.personalised, room.noise, steps=4, callback=note("plain"))
    same = [torch.equal(a, b) for a, b in zip(seen["late"][4:], seen["plain"], strict=True)]
    assert same[0] and not same[-1]


# B3, B4: limits


@pytest.mark.parametrize("mode", ["code", "paper", "paper_masked"])
@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral", "dpmpp_2m_sde"])
def test_looking_at_itself_changes_nothing(room: Any, mode: str, sampler: str) -> None:
    both = {"personalised": room.base, "foundation": room.base, "positive": room.positive}
    everywhere = torch.ones(1, HEIGHT, WIDTH)
    wanted = plain(room, room.base, room.noise, sampler=sampler)
    for strength in (0.0, 1.5) if mode == "code" else (1.0,):
        found = run(room.guide(**both, mask=everywhere, mode=mode, strength=strength), room.noise, sampler)
        assert relative_error(found, wanted) < 1e-5


def test_a_very_negative_strength_is_the_personalised_model(room: Any) -> None:
    found = run(room.guide(strength=-30.0), room.noise)
    assert relative_error(found, plain(room, room.personalised, room.noise)) < 1e-6


# B6, B10, B11: rows


def rows_of(room: Any, sigma: float = 1.6, **inputs: Any) -> dict[str, torch.Tensor]:
    """What the personalised rows denoise to when the guider is called once."""
    import comfy.samplers

    seen: dict[str, torch.Tensor] = {}
    model = inputs.pop("personalised", room.personalised).clone()

    def keep(args: dict[str, Any]) -> torch.Tensor:
        seen.update(positive=args["cond_denoised"].clone(), negative=args["uncond_denoised"].clone())
        return args["denoised"]

    def once(wrapped: Any, x: torch.Tensor, sigmas: Any, extra_args: Any = None, **_: Any) -> Any:
        return wrapped(x, sigmas[:1].expand(len(x)), **extra_args)

    model.set_model_sampler_post_cfg_function(keep)
    noise = inputs.pop("noise", room.noise)
    guider = room.guide(personalised=model, **inputs)
    sigmas = torch.tensor([sigma, 0.0])
    guider.sample(
        noise, torch.zeros_like(noise), comfy.samplers.KSAMPLER(once), sigmas, disable_pbar=True, seed=0
    )
    return seen


def test_only_the_positive_row_looks(room: Any) -> None:
    alone, repaired = rows_of(room, mask=None), rows_of(room)
    assert differ(repaired["positive"], alone["positive"])
    assert relative_error(repaired["negative"], alone["negative"]) < EXACT


def test_style_fidelity_blends_the_negative_row(room: Any) -> None:
    none, full = rows_of(room, style_fidelity=1.0), rows_of(room, style_fidelity=0.0)
    assert differ(full["negative"], none["negative"])
    assert relative_error(full["positive"], none["positive"]) < EXACT


@pytest.mark.parametrize("fidelity", [1.0, 0.5])
@pytest.mark.parametrize("layout", ["swapped", "apart"])
def test_the_order_and_batching_of_rows_do_not_matter(
    room: Any, layout: str, fidelity: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    import comfy.samplers

    together = rows_of(room, style_fidelity=fidelity)
    if layout == "apart":
        monkeypatch.setattr(comfy.samplers, "can_concat_cond", lambda a, b: a is b)
        apart = rows_of(room, style_fidelity=fidelity)
    else:
        # The host lists a batch from its last row to its first; another order of the lists turns it.
        def turned(model: Any) -> Any:
            model = model.clone()

            def batch(args: dict[str, Any]) -> Any:
                conds = list(reversed(args["conds"]))
                call = comfy.samplers.calc_cond_batch
                out = call(args["model"], conds, args["input"], args["sigma"], args["model_options"])
                return list(reversed(out))

            model.model_options["sampler_calc_cond_batch_function"] = batch
            return model

        personalised, foundation = turned(room.personalised), turned(room.base)
        apart = rows_of(room, personalised=personalised, foundation=foundation, style_fidelity=fidelity)
    for row in ("positive", "negative"):
        assert relative_error(apart[row], together[row]) < EXACT, row


def test_each_picture_of_a_batch_is_what_it_would_be_alone(room: Any) -> None:
    noises = torch.randn(2, 4, HEIGHT // 8, WIDTH // 8, generator=torch.Generator().manual_seed(5))
    masks = torch.cat([room.mask, room.mask.flip(1)])
    masks[1, :, : WIDTH // 2] = 0  # so that the masks have different sizes, too
    for mode in ("code", "paper", "paper_masked"):
        guider = room.guide(mask=masks, mode=mode)
        both = run(guider, noises)
        for n in range(2):
            single = room.guide(mask=masks[n : n + 1], mode=mode)
            assert relative_error(both[n : n + 1], run(single, noises[n : n + 1])) < 1e-5
            found = guider.foundation_latent[n : n + 1]
            assert relative_error(found, single.foundation_latent) < 1e-5


def test_a_picture_reads_its_own_foundation_only(room: Any) -> None:
    """Perturbing one row of the foundation moves its own picture and no other."""
    noises = room.noise.expand(2, -1, -1, -1).contiguous()

    def pushed(model: Any) -> Any:
        model = model.clone()

        def push(apply: Any, args: dict[str, Any]) -> Any:
            x = args["input"].clone()
            x.unflatten(0, (-1, 2))[:, 1] += 0.5
            return apply(x, args["timestep"], **args["c"])

        model.set_model_unet_function_wrapper(push)
        return model

    calm = rows_of(room, noise=noises)
    moved = rows_of(room, noise=noises, foundation=pushed(room.base))
    assert relative_error(moved["positive"][:1], calm["positive"][:1]) < EXACT
    assert differ(moved["positive"][1:], calm["positive"][1:])


# B13: the store


class Stopped(BaseException):
    """As the host's cancel: not an Exception."""


@pytest.mark.parametrize("error", [None, ValueError, Stopped])
@pytest.mark.parametrize("where", ["network", "callback"])
def test_nothing_is_kept_after_a_run(room: Any, error: Any, where: str) -> None:
    calls = []

    def fail(*args: Any) -> None:
        calls.append(None)
        if error is not None and len(calls) == (4 if where == "network" else STEPS + 1):
            raise error

    personalised = room.personalised.clone()
    if where == "network":

        def patch(x: torch.Tensor, context: Any, value: Any, options: Any) -> Any:
            fail()
            return x, context, value

        personalised.set_model_attn2_patch(patch)
    guider = room.guide(personalised=personalised, layers="0-16")
    if error is None:
        run(guider, room.noise, callback=fail)
    else:
        with pytest.raises(error):
            run(guider, room.noise, callback=fail if where == "callback" else None)
    tokens = guider.tokens
    assert len(tokens) == 0 and tokens.bytes == 0 and tokens.most_bytes > 0
    assert relative_error(run(room.guide(), room.noise), run(room.guide(), room.noise)) == 0


def test_a_step_keeps_the_masked_tokens_alone(room: Any) -> None:
    sites = room.layers.execution_order(room.base.model.diffusion_model)
    up = room.layers.choose_layers(sites, "all_up")
    widths = {site.hidden for site in up}
    guider, full = room.guide(), room.guide(mask=torch.ones(1, HEIGHT, WIDTH))
    run(guider, room.noise)
    run(full, room.noise)
    # Level 1 (the narrower layers) has half the latent's side, level 2 a quarter.
    grid = {min(widths): 4, max(widths): 16}
    tokens = [(HEIGHT // 8) * (WIDTH // 8) // grid[site.hidden] for site in up]
    wanted = sum(2 * t * site.hidden * 8 for t, site in zip(tokens, up, strict=True))
    assert full.tokens.most_bytes == wanted
    share = float(room.mask.mean())
    assert 0.8 * share * wanted < guider.tokens.most_bytes < 1.2 * share * wanted


# B16: the identity stays where it is


def test_the_foundation_never_sees_the_identity_and_the_identity_stays(room: Any) -> None:
    calls = {"personalised": 0, "foundation": 0}

    def counted(model: Any, branch: str) -> Any:
        model = model.clone()

        def count(n: torch.Tensor, context: Any, value: Any, options: Any) -> Any:
            slots = options["likeness_call"].slots.get("attn2", {}) if "likeness_call" in options else {}
            calls[branch] += any(hasattr(patch, "sources") for patch in slots.values())
            return n, context, value

        model.set_model_attn2_patch(count)
        return model

    guider = room.guide(
        personalised=counted(room.personalised, "personalised"), foundation=counted(room.base, "foundation")
    )
    run(guider, room.noise)
    assert calls["foundation"] == 0 and calls["personalised"] > 0
    # Without the identity the repaired picture would be another: cross-attention is intact.
    assert differ(run(room.guide(personalised=room.base), room.noise), run(room.guide(), room.noise))


def test_an_empty_identity_is_a_foundation(room: Any) -> None:
    zero = room.with_identity(empty=True)
    guider = room.guide(foundation=zero)
    found = run(guider, room.noise)
    assert relative_error(guider.foundation_latent, plain(room, zero, room.noise)) < 1e-6
    assert differ(guider.foundation_latent, plain(room, room.base, room.noise))
    assert differ(found, plain(room, room.personalised, room.noise))


# The foundation's run, kept


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m_sde", "heun", "euler_cfg_pp", "dpm_fast"])
@pytest.mark.parametrize("fidelity", [1.0, 0.5])
def test_a_kept_foundation_gives_the_same_picture(room: Any, sampler: str, fidelity: float) -> None:
    prompts = room.freecure.Prompts(room.positive, room.negative)
    repair = room.freecure.Repair(layers="all_up", style_fidelity=fidelity)
    first = room.freecure.foundation_guider(room.base, prompts, 5.0)
    run(first, room.noise, sampler)
    second = room.freecure.guider(
        room.personalised, room.base, prompts, 5.0, repair, room.mask, first.trajectory
    )
    found = run(second, room.noise, sampler)
    guider = room.guide(style_fidelity=fidelity)
    assert relative_error(found, run(guider, room.noise, sampler)) < 1e-5
    assert relative_error(second.foundation_latent, guider.foundation_latent) < 1e-5


def test_a_kept_foundation_needs_the_same_steps(room: Any) -> None:
    prompts = room.freecure.Prompts(room.positive, room.negative)
    first = room.freecure.foundation_guider(room.base, prompts, 5.0)
    run(first, room.noise, steps=2)
    second = room.freecure.guider(
        room.personalised, room.base, prompts, 5.0, room.freecure.Repair(), room.mask, first.trajectory
    )
    with pytest.raises(ValueError, match="same sampler and sigmas"):
        run(second, room.noise, steps=3)


# Denoise masks, cfg 1, the host's node


@pytest.mark.parametrize("sampler", ["euler", "ddim"])
def test_a_denoise_mask_holds_for_both(room: Any, sampler: str) -> None:
    latent = 0.3 * torch.randn(3, 4, HEIGHT // 8, WIDTH // 8, generator=torch.Generator().manual_seed(9))
    keep = torch.ones(2, HEIGHT, WIDTH)
    keep[0, : HEIGHT // 2] = 0
    noise = room.noise.expand(3, -1, -1, -1).contiguous()
    more = {"sampler": sampler, "latent": latent, "denoise_mask": keep}
    guider = room.guide(mask=None)
    found = run(guider, noise, **more)
    assert relative_error(found, plain(room, room.personalised, noise, **more)) < 1e-5
    wanted = plain(room, room.base, noise, **more)
    assert relative_error(guider.foundation_latent, wanted) < 1e-5


def test_cfg_1_runs_the_positive_rows_alone(room: Any) -> None:
    guider = room.guide(cfg=1.0)
    assert differ(run(guider, room.noise), plain(room, room.personalised, room.noise, 1.0))
    assert torch.equal(guider.foundation_latent, plain(room, room.base, room.noise, 1.0))


def test_sampler_custom_advanced_gives_the_personalised_picture(room: Any) -> None:
    import comfy.samplers
    from comfy_extras.nodes_custom_sampler import Noise_RandomNoise, SamplerCustomAdvanced

    latent = {"samples": torch.zeros_like(room.noise)}
    sampling = room.base.get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(sampling, "normal", STEPS)
    sampler = comfy.samplers.sampler_object("euler_ancestral")

    def advanced(guider: Any) -> Any:
        return SamplerCustomAdvanced.execute(Noise_RandomNoise(4), guider, sampler, sigmas, latent).result

    guider = comfy.samplers.CFGGuider(room.personalised)
    guider.set_conds(room.positive, room.negative)
    guider.set_cfg(5.0)
    wanted, found = advanced(guider), advanced(room.guide(mask=None))
    for a, b in zip(found, wanted, strict=True):
        assert a["samples"].shape == room.noise.shape
        assert relative_error(a["samples"], b["samples"]) < 1e-6


def test_running_again_gives_the_same_and_changes_no_model(room: Any) -> None:
    before = plain(room, room.personalised, room.noise), plain(room, room.base, room.noise)
    guider = room.guide()
    first = run(guider, room.noise)
    assert torch.equal(first, run(guider, room.noise))
    assert torch.equal(before[0], plain(room, room.personalised, room.noise))
    assert torch.equal(before[1], plain(room, room.base, room.noise))


def test_a_kept_foundation_costs_one_row_a_step_and_not_the_whole_network(room: Any) -> None:
    rows: list[int] = []
    finished: list[int] = []

    def count(apply: Any, args: dict[str, Any]) -> Any:
        rows.append(len(args["input"]))
        out = apply(args["input"], args["timestep"], **args["c"])
        finished.append(len(out))
        return out

    foundation = room.base.clone()
    foundation.set_model_unet_function_wrapper(count)
    prompts = room.freecure.Prompts(room.positive, room.negative)
    first = room.freecure.foundation_guider(foundation, prompts, 5.0)
    run(first, room.noise)
    assert rows == finished == [2] * STEPS
    second = room.freecure.guider(
        room.personalised, foundation, prompts, 5.0, room.freecure.Repair(), room.mask, first.trajectory
    )
    run(second, room.noise)
    # The layers after the last one that is looked at are left out.
    assert rows == [2] * STEPS + [1] * STEPS and finished == [2] * STEPS
    assert len(second.tokens) == 0 and room.base.model.current_patcher is None
