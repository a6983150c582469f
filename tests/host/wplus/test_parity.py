"""The W+ Adapter through our nodes in the host, against the authors' runs. fact_wplus.md B."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support import wplus_files
from support.golden import Golden, relative_error
from support.sampling import denoise

TOLERANCE = 1e-5
GOLDEN = Golden("wplus")

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any, base: Path) -> SimpleNamespace:
    model = GOLDEN.model("SD15")
    sites = pack.module("likeness.attention.sites").attention_sites(model.model.diffusion_model)
    content = wplus_files.tiny([site.hidden for site in sites], GOLDEN.meta["unet_config"]["context_dim"])
    path = base / "models" / "wplus" / "golden.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    adapter = pack.node("LikenessLoadWPlus").execute(file=path.name)[0]
    return SimpleNamespace(model=model, adapter=adapter, apply=pack.node("LikenessApplyWPlus").execute)


def code(pack: Any, name: str) -> Any:
    codes = GOLDEN["in.w"][int(name[1])] if name in ("w0", "w1") else GOLDEN[f"out.edit.{name}"]
    return pack.module("likeness.methods.wplus").WPlus(codes)


def prompts() -> tuple[Any, Any]:
    positive, negative = ([[GOLDEN[f"in.{side}"], {}]] for side in ("positive", "negative"))
    return positive, negative


@pytest.mark.parametrize("case", GOLDEN.meta["cases"], ids=lambda case: str(case["name"]))
def test_noise_is_the_authors(pack: Any, room: SimpleNamespace, case: dict[str, Any]) -> None:
    model, sigma = room.model, case["sigma"]
    if case["code"]:
        given = {"adapter": room.adapter, "wplus": code(pack, case["code"])}
        model = room.apply(model=model, weight=case["scale"], start=0.0, **given)[0]
    if case["freeu"]:
        model = pack.node("LikenessFreeUByBlock").execute(model=model)[0]
    x = GOLDEN["in.x"] * (1 + sigma**2) ** 0.5
    found = denoise(model, *prompts(), x, sigma)
    for denoised, side in zip(found, ("cond", "uncond"), strict=True):
        wanted = GOLDEN[f"out.{case['name']}.{side}"]
        assert relative_error((x - denoised) / sigma, wanted) <= TOLERANCE, side


def test_all_cases_are_there() -> None:
    assert len(GOLDEN.meta["cases"]) == 34 and len(GOLDEN.meta["runs"]) == 3


@pytest.mark.parametrize("case", GOLDEN.meta["runs"], ids=lambda case: str(case["name"]))
def test_whole_runs_are_the_authors(pack: Any, room: SimpleNamespace, case: dict[str, Any]) -> None:
    """Start percent says in which steps the person acts."""
    import comfy.samplers

    off = sum(step["scale"] == 0 for step in case["per_step"])
    first, second = (case["per_step"][n]["timestep"] for n in (off - 1, off))
    start = 1 - (first + second) / 2 / 999
    given = {"adapter": room.adapter, "wplus": code(pack, case["code"])}
    model = room.apply(model=room.model, weight=case["scale"], start=start, **given)[0]
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(*prompts())
    guider.set_cfg(case["guidance"])
    sigmas, noise = torch.tensor(case["sigmas"]), GOLDEN["in.latents"] * case["initial"] / case["sigmas"][0]
    sampler, empty = comfy.samplers.sampler_object("euler"), torch.zeros_like(noise)
    found = guider.sample(noise, empty, sampler, sigmas, disable_pbar=True, seed=0)
    found = model.model.latent_format.process_in(found)
    assert relative_error(found, GOLDEN[f"out.run.{case['name']}"]) <= TOLERANCE


def test_the_default_start_is_the_authors_delay(pack: Any, room: SimpleNamespace) -> None:
    """30 steps, ratio 20: seven are drawn without the person, for the usual schedules."""
    import comfy.samplers

    assert [30, 20, 7] in GOLDEN.meta["schedule"]
    sampling = room.model.get_model_object("model_sampling")
    begin = sampling.percent_to_sigma(pack.module("likeness.choices.wplus").START)
    for schedule in ("normal", "simple", "sgm_uniform", "ddim_uniform"):
        sigmas = comfy.samplers.calculate_sigmas(sampling, schedule, 30)
        assert int((sigmas > begin).sum()) == 7


def test_the_encoder_is_the_authors(pack: Any) -> None:
    """In its real size: 267 million numbers, which take seconds to make."""
    shapes = GOLDEN.meta["e4e_shapes"]
    assert wplus_files.encoder_shapes((64, 64, 128, 256, 512)).keys() == shapes.keys()
    tensors = {key: wplus_files.encoder_value(key, shape) for key, shape in shapes.items()}
    average = GOLDEN["in.latent_avg"]
    network = pack.module("likeness.methods.wplus.e4e").build(tensors, average, "golden")
    kept = tensors["body.5.res_layer.1.weight"].data_ptr()
    assert network.body[5].res_layer[1].weight.data_ptr() == kept  # nothing is copied
    small = network(GOLDEN["in.e4e_small"]) - average
    assert relative_error(small, GOLDEN["out.e4e_small"]) <= TOLERANCE
    picture = pack.module("likeness.methods.wplus.prepare").seen(_photo(), GOLDEN["in.mask"].numpy())
    assert relative_error(network(picture[None]), GOLDEN["out.e4e_code"]) <= TOLERANCE


def _photo() -> Any:
    import numpy as np
    from PIL import Image

    coarse = Image.fromarray(GOLDEN["in.photo_coarse"].numpy())
    return np.array(coarse.resize((512, 512), Image.Resampling.BICUBIC))
