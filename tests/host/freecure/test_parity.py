"""FreeCure's guider, through its node in the host, against the authors' own noise predictions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.golden import Golden, relative_error

GOLDEN = Golden("freecure")
TOLERANCE = 1e-5
ROWS = [f"{side}_{branch}" for side in ("positive", "negative") for branch in ("personalised", "foundation")]

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


def conditioning(side: str, branch: str) -> list[Any]:
    height, width = GOLDEN.meta["image_size"]
    sizes = {"width": width, "height": height, "target_width": width, "target_height": height}
    facts = {"pooled_output": GOLDEN[f"in.pooled_{side}"], "crop_w": 0, "crop_h": 0, **sizes}
    return [[GOLDEN[f"in.{side}_{branch}"], facts]]


def watched(model: Any, branch: str, seen: dict[str, torch.Tensor]) -> Any:
    """A clone of the MODEL that notes what its positive and negative row denoise to."""
    model = model.clone()

    def keep(args: dict[str, Any]) -> torch.Tensor:
        seen[f"positive_{branch}"] = args["cond_denoised"]
        seen[f"negative_{branch}"] = args["uncond_denoised"]
        return args["denoised"]

    model.set_model_sampler_post_cfg_function(keep)
    return model


def one_call(guider: Any, x: torch.Tensor, sigma: float) -> None:
    """The guider called once with the same x for both branches."""
    import comfy.samplers

    def once(
        wrapped: Any, noisy: torch.Tensor, sigmas: torch.Tensor, extra_args: Any = None, **_: Any
    ) -> Any:
        both = x.expand(len(noisy), -1, -1, -1).to(noisy)
        return wrapped(both, sigmas[:1].expand(len(noisy)), **extra_args)

    nothing = torch.zeros_like(x)
    sampler = comfy.samplers.KSAMPLER(once)
    guider.sample(nothing, nothing, sampler, torch.tensor([sigma, 0.0]), disable_pbar=True, seed=0)


def test_all_cases_are_there() -> None:
    assert len(GOLDEN.meta["cases"]) == 18


@pytest.mark.parametrize("case", GOLDEN.meta["cases"], ids=lambda case: case["name"])
def test_noise_predictions(pack: Any, case: dict[str, Any]) -> None:
    seen: dict[str, torch.Tensor] = {}
    model = GOLDEN.model()
    mask = torch.ones(1, 128, 128) if case["mask"] == "ones" else GOLDEN[case["mask"]][0]
    layers = ",".join(str(n) for n in case["layers"])
    guider = pack.node("LikenessFreeCureGuider").execute(
        personalised=watched(model, "personalised", seen),
        foundation=watched(model, "foundation", seen),
        positive=conditioning("positive", "personalised"),
        negative=conditioning("negative", "personalised"),
        foundation_positive=conditioning("positive", "foundation"),
        foundation_negative=conditioning("negative", "foundation"),
        mask=mask if layers else None,
        cfg=5.0,
        strength=case["mask_weight"],
        mode="code",
        layers=layers or "default",
        style_fidelity=case["style_fidelity"],
    )[0]
    sigma = case["sigma"]
    x = GOLDEN["in.x"] * (1 + sigma**2) ** 0.5
    one_call(guider, x, sigma)
    assert sorted(seen) == sorted(ROWS)
    for row in ROWS:
        wanted = GOLDEN[f"out.{case['name']}.{row}"]
        assert relative_error((x - seen[row]) / sigma, wanted) <= TOLERANCE, row


def test_the_default_layers_of_the_tiny_sdxl_are_the_cases_layers(pack: Any) -> None:
    layers = pack.module("likeness.methods.freecure.layers")
    sites = layers.execution_order(GOLDEN.model().model.diffusion_model)
    assert len(sites) == GOLDEN.meta["cases"][0]["attention_layers"]
    assert layers.choose_layers(sites, "default") == sites[12:]
