"""Repair Expression in the real host: stock recipe, error, masks, progress, bad input. Spec B.8, B12."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.golden import Golden, relative_error

GOLDEN = Golden("freecure")
HEIGHT, WIDTH = GOLDEN.meta["image_size"]
KINDS = ["eps", "v", "sd3", "flux"]

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


def prompt(name: str) -> list[Any]:
    sizes = {"width": WIDTH, "height": HEIGHT, "target_width": WIDTH, "target_height": HEIGHT}
    facts = {"pooled_output": GOLDEN["in.pooled_positive"], "crop_w": 0, "crop_h": 0, **sizes}
    return [[GOLDEN[f"in.{name}"], facts]]


@pytest.fixture(scope="module")
def room(pack: Any) -> SimpleNamespace:
    """MODELs of each kind of prediction on one tiny network, a picture, the node and its library."""
    import comfy.samplers
    import comfy_extras.nodes_model_advanced as sampling

    base = GOLDEN.model()
    models = {
        "eps": base,
        "v": sampling.ModelSamplingDiscrete().patch(base, "v_prediction", False)[0],
        "sd3": sampling.ModelSamplingSD3().patch(base, 3.0)[0],
        "flux": sampling.ModelSamplingFlux().patch(base, 1.15, 0.5, WIDTH, HEIGHT)[0],
    }
    generator = torch.Generator().manual_seed(3)
    picture = torch.randn(1, 4, HEIGHT // 8, WIDTH // 8, generator=generator) / 0.13
    template, target = prompt("positive_foundation"), prompt("positive_personalised")
    negative = prompt("negative_personalised")

    def schedule(kind: str, steps: int) -> torch.Tensor:
        name = "normal" if kind == "eps" else "simple"
        return comfy.samplers.calculate_sigmas(models[kind].get_model_object("model_sampling"), name, steps)

    def inputs(kind: str = "eps", steps: int = 4, **more: Any) -> dict[str, Any]:
        given = {"model": models[kind], "latent": {"samples": picture}, "template": template}
        given |= {"target": target, "negative": negative, "sampler": "euler"}
        given |= {"sigmas": schedule(kind, steps), **more}
        if isinstance(given["sampler"], str):
            given["sampler"] = comfy.samplers.sampler_object(given["sampler"])
        return given

    library = pack.module("likeness.methods.freecure.expression")
    return SimpleNamespace(
        models=models,
        picture=picture,
        template=template,
        inputs=inputs,
        library=library,
        repair=lambda *args, **more: library.repair_expression(**inputs(*args, **more)),
        node=lambda *args, **more: pack.node("LikenessFreeCureExpression").execute(**inputs(*args, **more)),
        progress=pack.module("likeness.host.running").StagedProgress,
    )


# The recipe


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "ddim"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_stock_recipe_bit_by_bit(room: Any, kind: str, sampler: str) -> None:
    import comfy_extras.nodes_custom_sampler as stock

    given = room.inputs(kind, 8, sampler=sampler)
    quiet = stock.DisableNoise.execute()[0]

    def run(positive: Any, cfg: float, by: str, sigmas: torch.Tensor, latent: Any) -> Any:
        guider = stock.CFGGuider.execute(given["model"], positive, given["negative"], cfg)[0]
        chosen = stock.KSamplerSelect.execute(by)[0]
        return stock.SamplerCustomAdvanced.execute(quiet, guider, chosen, sigmas, latent)[0]

    low = stock.SplitSigmas.execute(given["sigmas"], 4)[1]
    inverted = run(given["template"], 1.0, "euler", stock.FlipSigmas.execute(low)[0], given["latent"])
    wanted = run(given["target"], 5.0, sampler, low, inverted)
    latent, found, report = room.node(kind, 8, sampler=sampler)
    assert torch.equal(found["samples"], inverted["samples"])
    assert torch.equal(latent["samples"], wanted["samples"])
    assert f"noise level {float(low[0]):.4g} in 4 steps" in report


def test_gamma_is_a_part_of_the_timesteps(room: Any) -> None:
    """Whatever the schedule: the highest level is the first at or below that of timestep gamma * 1000."""
    import comfy.samplers

    sampling = room.models["eps"].get_model_object("model_sampling")
    for gamma in (0.3, 0.5, 0.62):
        level = float(sampling.sigma(torch.tensor(gamma * 1000)))
        exactly = torch.tensor([14.0, level, level / 2, 0.0])
        assert room.library.expression_steps(room.models["eps"], exactly, gamma) == [2, 2]
        for name in ("karras", "sgm_uniform", "ddim_uniform", "beta"):
            sigmas = comfy.samplers.calculate_sigmas(sampling, name, 20)
            steps = room.library.expression_steps(room.models["eps"], sigmas, gamma)[0]
            assert sigmas[-steps - 1] <= level < sigmas[-steps - 2]


# Its error


@pytest.mark.parametrize("kind", KINDS)
def test_the_round_trip_error_falls_with_steps_and_with_refinements(room: Any, kind: str) -> None:
    errors = [room.repair(kind, steps, measure=True).measured for steps in (8, 16)]
    assert errors[1] < 0.7 * errors[0]
    refined = [room.repair(kind, 8, measure=True, refinements=count).measured for count in (1, 2)]
    assert refined[1] < 0.7 * refined[0] < 0.5 * errors[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("refinements", [0, 2])
def test_the_same_prompt_gives_the_picture_back(room: Any, kind: str, refinements: int) -> None:
    same = {"target": room.template, "cfg": 1.0, "refinements": refinements}
    made = room.repair(kind, 10, measure=True, **same)
    error = relative_error(made.latent["samples"], room.picture)
    assert error == pytest.approx(made.measured, rel=1e-6)
    assert 0.4 * error < made.estimated < 2.5 * error
    assert error < (0.4 if refinements == 0 else 0.08)
    unmeasured = room.repair(kind, 10, **same)
    assert unmeasured.measured is None and unmeasured.estimated == made.estimated
    assert torch.equal(unmeasured.latent["samples"], made.latent["samples"])


def test_the_template_s_own_cfg_is_used_for_the_way_back(room: Any) -> None:
    one, other = (room.repair(inversion_cfg=cfg) for cfg in (1.0, 2.0))
    assert relative_error(one.inverted["samples"], other.inverted["samples"]) > 1e-3
    strong, weak = (room.repair(cfg=cfg) for cfg in (5.0, 1.0))
    assert torch.equal(strong.inverted["samples"], weak.inverted["samples"])
    assert relative_error(strong.latent["samples"], weak.latent["samples"]) > 1e-3


def test_the_report_says_what_is_known(room: Any) -> None:
    estimated = room.node(steps=8)[2]
    assert "in 4 steps" in estimated and "% estimated." in estimated and "measured" not in estimated
    assert "% measured, " in room.node(steps=8, measure=True)[2]
    single = room.node(sigmas=torch.tensor([10.0, 1.0, 0.0]))[2]
    assert "noise level 1 in 1 step." in single and "switch measure on" in single


# Batches and masks


@pytest.mark.parametrize("kind", ["eps", "sd3"])
def test_a_batch_is_each_picture_alone(room: Any, kind: str) -> None:
    pictures = torch.cat([room.picture, room.picture.flip(-1)])
    together = room.repair(kind, latent={"samples": pictures}, refinements=1)
    for i in range(2):
        alone = room.repair(kind, latent={"samples": pictures[i : i + 1]}, refinements=1)
        assert relative_error(together.latent["samples"][i], alone.latent["samples"][0]) < 1e-4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "ddim"])
def test_a_noise_mask_keeps_the_picture_outside(room: Any, kind: str, sampler: str) -> None:
    def masked(mask: torch.Tensor) -> torch.Tensor:
        latent = {"samples": room.picture, "noise_mask": mask}
        return room.repair(kind, latent=latent, sampler=sampler).latent["samples"]

    mask = torch.zeros(1, HEIGHT, WIDTH)
    assert relative_error(masked(mask), room.picture) < 1e-5
    unmasked = room.repair(kind, sampler=sampler).latent["samples"]
    assert relative_error(masked(torch.ones_like(mask)), unmasked) < 1e-4
    mask[:, :, : WIDTH // 2] = 1
    half, columns = masked(mask), WIDTH // 16
    assert relative_error(half[..., columns:], room.picture[..., columns:]) < 1e-5
    assert relative_error(half[..., :columns], room.picture[..., :columns]) > 1e-2


def test_the_noise_comes_without_the_mask_and_other_facts_stay(room: Any) -> None:
    facts = {"noise_mask": torch.ones(1, HEIGHT, WIDTH), "batch_index": [4], "downscale_ratio_spacial": 8}
    made = room.repair(latent={"samples": room.picture, **facts})
    assert set(made.latent) == {"samples", "noise_mask", "batch_index"}
    assert set(made.inverted) == {"samples", "batch_index"}


def test_nothing_that_came_in_is_changed(room: Any) -> None:
    given = room.inputs("sd3", refinements=1, measure=True)
    mask = torch.ones(1, HEIGHT, WIDTH)
    given["latent"] = {"samples": room.picture.clone(), "noise_mask": mask.clone()}
    before = given["sigmas"].clone(), given["template"][0][0].clone(), dict(given["template"][0][1])
    options = {name: dict(value) for name, value in given["model"].model_options.items()}
    room.library.repair_expression(**given)
    assert set(given["latent"]) == {"samples", "noise_mask"}
    assert torch.equal(given["latent"]["samples"], room.picture)
    assert torch.equal(given["latent"]["noise_mask"], mask)
    assert torch.equal(given["sigmas"], before[0]) and torch.equal(given["template"][0][0], before[1])
    assert given["template"][0][1].keys() == before[2].keys()
    assert given["model"].model_options == options


# Progress


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, Any]]:
    """(value, total, preview) of everything the page is told, with the host's quick previews on."""
    import comfy.cli_args
    import comfy.utils
    import latent_preview

    told: list[tuple[int, int, Any]] = []

    def hook(value: int, total: int, preview: Any, node_id: Any) -> None:
        told.append((value, total, preview))

    monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", hook)
    monkeypatch.setattr(comfy.cli_args.args, "preview_method", latent_preview.LatentPreviewMethod.Latent2RGB)
    return told


def test_one_bar_runs_through_all_stages(room: Any, shown: list[Any]) -> None:
    for measure in (False, True):
        given = room.inputs(steps=6, measure=measure)
        stages = room.library.expression_steps(given["model"], given["sigmas"], measure=measure)
        assert stages == [3] * (3 if measure else 2)
        shown.clear()
        room.node(steps=6, measure=measure)
        assert [value for value, _, _ in shown] == list(range(1, sum(stages) + 1))
        assert {total for _, total, _ in shown} == {sum(stages)}
        assert all(preview[1].size == (WIDTH // 8, HEIGHT // 8) for _, _, preview in shown)


def test_stages_are_begun_with_their_number_of_steps(room: Any) -> None:
    begun: list[int] = []
    seen: list[tuple[int, int, int]] = []

    def stage(steps: int) -> Any:
        begun.append(steps)
        number = len(begun)
        return lambda step, denoised, x, total: seen.append((number, step, total))

    room.repair(steps=6, measure=True, stage=stage)
    assert begun == [3, 3, 3]
    assert seen == [(number, step, 3) for number in (1, 2, 3) for step in range(3)]


def test_an_adaptive_sampler_does_not_run_over_its_stage(room: Any, shown: list[Any]) -> None:
    stage = room.progress(room.models["eps"], 5).stage
    first, second = stage(2), stage(3)
    for step in range(4):
        first(step, room.picture, room.picture, 2)
    second(2, room.picture, room.picture, 3)
    assert [value for value, _, _ in shown] == [1, 2, 2, 2, 5]


def test_cancelling_stops_the_run(room: Any) -> None:
    import comfy.model_management as management

    def stage(steps: int) -> Any:
        callback = bar(steps)

        def cancel_first(*step: Any) -> None:
            management.interrupt_current_processing(True)
            callback(*step)

        return cancel_first

    bar = room.progress(room.models["eps"], 4).stage
    with pytest.raises(management.InterruptProcessingException):
        room.repair(stage=stage)
    assert not management.processing_interrupted()


# What is refused


@pytest.mark.parametrize(
    "sampler", ["euler_ancestral", "dpmpp_2m_sde", "dpmpp_3m_sde_gpu", "lcm", "ddpm", "er_sde", "sa_solver"]
)
def test_samplers_that_add_noise_are_refused(room: Any, sampler: str) -> None:
    with pytest.raises(ValueError, match=f"sampler: {sampler} adds noise.*Use euler, dpmpp_2m or ddim"):
        room.node(sampler=sampler)


def test_options_that_add_noise_are_refused(room: Any) -> None:
    import comfy.samplers

    for name, options in {"euler": {"s_churn": 1.0}, "dpm_adaptive": {"eta": 0.5}}.items():
        with pytest.raises(ValueError, match=r"adds noise.*eta and s_churn 0"):
            room.node(sampler=comfy.samplers.ksampler(name, options))


@pytest.mark.parametrize(
    "sampler",
    ["heun", "dpm_fast", "res_multistep", "euler_cfg_pp", "uni_pc", ("euler_ancestral", {"eta": 0.0})],
)
def test_other_samplers_add_none(room: Any, sampler: Any) -> None:
    import comfy.samplers

    if not isinstance(sampler, str):
        sampler = comfy.samplers.ksampler(*sampler)
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        found.append(room.repair(sampler=sampler).latent["samples"])
    assert torch.isfinite(found[0]).all() and torch.equal(*found)


def test_a_latent_without_one_picture_is_refused(room: Any) -> None:
    from comfy.nested_tensor import NestedTensor

    nested = NestedTensor([room.picture, room.picture])
    with pytest.raises(ValueError, match="latent holds several latents in one"):
        room.node(latent={"samples": nested})
    half = torch.cat([room.picture, torch.zeros_like(room.picture)])
    with pytest.raises(ValueError, match="picture 2 of 2 is empty"):
        room.node(latent={"samples": half})


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"gamma": 0.99}, "gamma must be from 0.05 to 0.95"),
        ({"refinements": -1}, "refinements must be 0 or more"),
        ({"sigmas": torch.tensor([14.0, 3.0, 1.0])}, "sigmas must end at 0"),
        ({"sigmas": torch.tensor([14.0, 3.0, 0.0])}, "none of the 2 steps.*noise level 1.6"),
        ({"kind": "sd3", "sigmas": torch.tensor([14.0, 3.0, 0.0])}, "flow model"),
    ],
)
def test_bad_input_is_named(room: Any, inputs: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        room.node(**inputs)
