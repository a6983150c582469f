"""Guiders, samplers and noise levels of the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .feature import ALONE, GUIDER, NODE, SAMPLER, Feature, NotOffered, Refused
from .model_nodes import WHOLE_BATCH, freecure
from .other_prompts import other_whole as other
from .run import SEED, Run, parts, sample
from .world import World

OWN = NotOffered("FreeCure is a guider itself")


def _guider(
    name: str, module: str, node_id: str, make: Callable[[World, Run], dict[str, Any]], **more: Any
) -> Feature:
    def apply(world: World, run: Run) -> Run:
        def guide(run: Run) -> Any:
            return world.node(module, node_id, model=run.model, **make(world, run))[0]

        return run.but(guide=guide)

    return Feature(name, "guiders", apply, frozenset({GUIDER}), answers=freecure(OWN), **more)


def _both(run: Run) -> dict[str, Any]:
    return {"positive": run.positive, "negative": run.negative}


def _dual(style: str) -> Callable[[World, Run], dict[str, Any]]:
    def make(world: World, run: Run) -> dict[str, Any]:
        prompts = {"cond1": run.positive, "cond2": other(world, run), "negative": run.negative}
        return {**prompts, "cfg_conds": 3.0, "cfg_cond2_negative": 2.0, "style": style}

    return make


def _perpendicular(world: World, run: Run) -> dict[str, Any]:
    return {**_both(run), "empty_conditioning": other(world, run), "cfg": 1.5}


def _dual_model(world: World, run: Run) -> dict[str, Any]:
    return {**_both(run), "model_negative": run.model, "cfg": 1.5}


GUIDERS: tuple[Feature, ...] = (
    _guider(
        "BasicGuider",
        "nodes_custom_sampler",
        "BasicGuider",
        lambda world, run: {"conditioning": run.positive},
    ),
    _guider("CFGGuider", "nodes_custom_sampler", "CFGGuider", lambda world, run: {**_both(run), "cfg": 1.5}),
    _guider("DualCFGGuider", "nodes_custom_sampler", "DualCFGGuider", _dual("regular")),
    _guider("DualCFGGuider (nested)", "nodes_custom_sampler", "DualCFGGuider", _dual("nested")),
    _guider("DualModelGuider", "nodes_custom_sampler", "DualModelGuider", _dual_model),
    _guider("PerpNegGuider", "nodes_perpneg", "PerpNegGuider", _perpendicular, lacks={ALONE: WHOLE_BATCH}),
)


def _sampler(name: str, answers: Any = None, lacks: Any = None, **changes: Any) -> Feature:
    def apply(world: World, run: Run) -> Run:
        return run.but(
            **changes,
            sampler=lambda run: world.node("nodes_custom_sampler", "KSamplerSelect", sampler_name=name)[0],
        )

    return Feature(
        name, "samplers", apply, frozenset({SAMPLER}), answers=answers or {}, lacks=lacks or _OUTSIDE
    )


def _made(
    name: str, module: str, answers: Any = None, lacks: Any = None, needs_model: bool = False, **inputs: Any
) -> Feature:
    def apply(world: World, run: Run) -> Run:
        def make(run: Run) -> Any:
            model = {"model": run.model} if needs_model else {}
            return world.node(module, name, **model, **inputs)[0]

        return run.but(sampler=make, steps=3)

    return Feature(
        name, "samplers", apply, frozenset({SAMPLER}), answers=answers or {}, lacks=lacks or _OUTSIDE
    )


def _levels(name: str, make: Callable[[World, Run, torch.Tensor], torch.Tensor], **more: Any) -> Feature:
    def apply(world: World, run: Run) -> Run:
        return run.but(sigmas=lambda run, made: make(world, run, made), steps=3)

    return Feature(name, "schedules", apply, frozenset({SAMPLER}), lacks=_OUTSIDE, **more)


def _scheduler(
    node_id: str, module: str = "nodes_custom_sampler", with_model: bool = True, **inputs: Any
) -> Any:
    def make(world: World, run: Run, made: torch.Tensor) -> torch.Tensor:
        model = {"model": run.model} if with_model else {}
        sigmas: torch.Tensor = world.node(module, node_id, **model, **inputs)[0]
        return sigmas

    return make


def _split(world: World, run: Run) -> Run:
    """The first steps in one sampler, the rest in another."""

    def draw(run: Run) -> dict[str, Any]:
        given = parts(run)
        high, low = world.node("nodes_custom_sampler", "SplitSigmas", sigmas=given["sigmas"], step=2)
        first = sample(run, {**given, "sigmas": high})
        silence = world.node("nodes_custom_sampler", "DisableNoise")[0]
        return sample(run, {**given, "noise": silence, "sigmas": low, "latent_image": first})

    return run.but(draw=draw, steps=3)


def _advanced(world: World, run: Run) -> Run:
    """Two KSampler (Advanced), one after the other."""

    def draw(run: Run) -> dict[str, Any]:
        given = {"model": run.model, "positive": run.positive, "negative": run.negative, "cfg": run.cfg}
        given |= {"noise_seed": SEED, "steps": 3, "sampler_name": "euler", "scheduler": "karras"}
        turn = {"add_noise": "enable", "end_at_step": 2, "return_with_leftover_noise": "enable"}
        first = world.node("nodes", "KSamplerAdvanced", **given, **turn, latent_image=run.latent)[0]
        turn = {"add_noise": "disable", "start_at_step": 2, "return_with_leftover_noise": "disable"}
        return world.node("nodes", "KSamplerAdvanced", **given, **turn, latent_image=first)[0]

    return run.but(draw=draw)


def _second_pass(world: World, run: Run) -> Run:
    """Drawn, made larger, drawn again in part: what is called hires fix."""

    def draw(run: Run) -> dict[str, Any]:
        given = {"model": run.model, "positive": run.positive, "negative": run.negative, "cfg": run.cfg}
        given |= {"seed": SEED, "steps": 2, "sampler_name": "euler", "scheduler": "karras"}
        first = world.node("nodes", "KSampler", **given, latent_image=run.latent)[0]
        larger = world.node(
            "nodes", "LatentUpscaleBy", samples=first, upscale_method="bilinear", scale_by=1.5
        )[0]
        return world.node("nodes", "KSampler", **given, latent_image=larger, denoise=0.5)[0]

    return run.but(draw=draw)


_OUTSIDE = {ALONE: "it works on what the network gave, a picture at a time"}
_LARGER = {**_OUTSIDE, NODE: "it makes larger pictures"}
_ADAPTIVE = freecure(Refused("dpm_adaptive chooses its steps by looking at the picture"))
_HOLE = NotOffered("the host tells an inpainting network its hole in the first size only")
_GROWING = {"Apply PVA": _HOLE, "Apply FACT": _HOLE}
_OURS = freecure(NotOffered("KSampler takes no guider"))
_ONE_AFTER_THE_OTHER, _CUSTOM = "samplings one after the other", "nodes_custom_sampler"


def _extended(world: World, run: Run, made: torch.Tensor) -> torch.Tensor:
    given = {"start_at_sigma": -1.0, "end_at_sigma": 0.0, "spacing": "linear"}
    sigmas: torch.Tensor = world.node(_CUSTOM, "ExtendIntermediateSigmas", sigmas=made[1:], **given)[0]
    return sigmas


SAMPLERS: tuple[Feature, ...] = (
    _sampler("euler_ancestral", steps=2),
    _sampler("heun", steps=2),
    _sampler("dpmpp_2m", steps=3),
    _sampler("dpmpp_sde", steps=2),
    _sampler("uni_pc", steps=3),
    _sampler("lcm", steps=2),
    _sampler("euler_ancestral_cfg_pp", steps=2),
    _sampler("res_multistep", steps=3),
    _made("SamplerSASolver", _CUSTOM, needs_model=True, simple_order_2=False, use_pece=True),
    _made("SamplerER_SDE", _CUSTOM, solver_type="ER-SDE"),
    _made("SamplerDPMAdaptative", _CUSTOM, answers=_ADAPTIVE, order=2, rtol=2.0, atol=2.0, h_init=2.0),
    _made(
        "SamplerLCMUpscale",
        "nodes_advanced_samplers",
        answers=_GROWING,
        lacks=_LARGER,
        scale_ratio=1.5,
        upscale_method="bilinear",
    ),
    _levels("SDTurboScheduler", _scheduler("SDTurboScheduler", steps=2, denoise=0.5)),
    _levels("BasicScheduler", _scheduler("BasicScheduler", scheduler="karras", steps=2)),
    _levels(
        "AlignYourStepsScheduler",
        _scheduler("AlignYourStepsScheduler", "nodes_align_your_steps", False, model_type="SDXL", steps=3),
    ),
    _levels("ExtendIntermediateSigmas", _extended),
    Feature("SplitSigmas", _ONE_AFTER_THE_OTHER, _split, frozenset({SAMPLER}), lacks=_OUTSIDE),
    Feature(
        "KSamplerAdvanced",
        _ONE_AFTER_THE_OTHER,
        _advanced,
        frozenset({SAMPLER}),
        lacks=_OUTSIDE,
        answers=_OURS,
    ),
    Feature(
        "LatentUpscaleBy",
        _ONE_AFTER_THE_OTHER,
        _second_pass,
        frozenset({SAMPLER}),
        lacks=_LARGER,
        answers=_OURS,
    ),
)
