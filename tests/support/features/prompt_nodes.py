"""Nodes of the host that change prompts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .feature import LATENT, ORDER, PROMPTS, Answer, Feature, Refused, Works
from .model_nodes import ALL, freecure
from .networks import ARC2FACE, SD2, SDXL
from .other_prompts import other, other_whole
from .run import HEIGHT, WIDTH, Run, latent_of
from .world import World, masks, picture

REGION = freecure(Refused("is for a region of the picture, but FreeCure needs prompts for all of it"))
SEVERAL = freecure(Refused("FreeCure pairs one with one"))
_ADDED = {ORDER: "a prompt that is added later has no ControlNet of ours"}
#: They multiply the rows of the prompt: also the direction in them, when it is there before.
_SCALED = {"Apply Attribute": Works({ORDER: "what is added first is multiplied, too"})}
_NO_NEED = "these networks take no such thing"
_HALF = torch.zeros(1, HEIGHT, WIDTH)
_HALF[..., WIDTH // 2 :] = 1

Apply = Callable[[World, Run], Run]


# How the nodes are called


def _given(world: World, run: Run, inputs: dict[str, Any]) -> dict[str, Any]:
    return {key: value(world, run) if callable(value) else value for key, value in inputs.items()}


def on_positive(node_id: str, module: str = "nodes", wire: str = "conditioning", **inputs: Any) -> Apply:
    """A node that takes the positive prompt and gives another; inputs may be made of (world, run)."""

    def apply(world: World, run: Run) -> Run:
        given = _given(world, run, inputs)
        return run.but(positive=world.node(module, node_id, **{wire: run.positive}, **given)[0])

    return apply


def on_both(node_id: str, module: str = "nodes_hooks", suffix: str = "", **inputs: Any) -> Apply:
    """A node that takes both prompts."""

    def apply(world: World, run: Run) -> Run:
        given = _given(world, run, inputs)
        given |= {f"positive{suffix}": run.positive, f"negative{suffix}": run.negative}
        positive, negative = world.node(module, node_id, **given)[:2]
        return run.but(positive=positive, negative=negative)

    return apply


def _combined(world: World, run: Run, one: Any, two: Any) -> Run:
    both = world.node("nodes", "ConditioningCombine", conditioning_1=one, conditioning_2=two)
    return run.but(positive=both[0])


# What takes more than a call


def _strengths(world: World, run: Run) -> Run:
    """Two prompts of different strength."""
    given = {"conditioning": other_whole(world, run), "strength": 0.3}
    weaker = world.node("nodes", "ConditioningSetAreaStrength", **given)[0]
    return _combined(world, run, run.positive, weaker)


def _two_times(world: World, run: Run) -> Run:
    """Another prompt for the last steps."""

    def part(prompt: Any, start: float, end: float) -> Any:
        given = {"conditioning": prompt, "start": start, "end": end}
        return world.node("nodes", "ConditioningSetTimestepRange", **given)[0]

    parts = part(run.positive, 0.0, 0.4), part(other_whole(world, run), 0.4, 1.0)
    return _combined(world, run, *parts).but(steps=3)


def _default(world: World, run: Run) -> Run:
    """A prompt for half the picture, another where none is."""
    given = {"cond": _MASKED(world, run).positive, "cond_DEFAULT": other_whole(world, run)}
    return run.but(positive=world.node("nodes_hooks", "ConditioningSetDefaultCombine", **given)[0])


def _zero_out(world: World, run: Run) -> Run:
    """The negative made of the positive, as graphs for turbo models do."""
    return run.but(negative=world.node("nodes", "ConditioningZeroOut", conditioning=run.positive)[0])


def _words_for_control(world: World, run: Run) -> Run:
    """Other words for a ControlNet than for the network: the host runs its rows apart then."""
    run = _NET(world, run)
    given = {"clip": run.clip, "conditioning": run.positive, "text": "a drawing"}
    return run.but(positive=world.node("nodes_cond", "CLIPTextEncodeControlnet", **given)[0])


def _inpaint(world: World, run: Run) -> Run:
    given = {"vae": world.vae, "pixels": picture(seed=4), "mask": masks((2,)), "noise_mask": True}
    given |= {"positive": run.positive, "negative": run.negative}
    positive, negative, latent = world.node("nodes", "InpaintModelConditioning", **given)
    masked = {**run.latent, "noise_mask": latent["noise_mask"]}
    return run.but(positive=positive, negative=negative, latent=masked)


def _net(world: World, run: Run) -> Any:
    return world.control_net(run.network, "other.")


_HINT = picture(seed=9)
_NET = on_both("ControlNetApplyAdvanced", "nodes", control_net=_net, image=_HINT, strength=0.8)
_AREA = on_positive("ConditioningSetArea", width=64, height=40, x=64, y=16)
_SHARE = on_positive("ConditioningSetAreaPercentage", width=0.5, height=0.75, x=0.25, y=0.25)
_BOUNDS = {"mask": _HALF, "set_cond_area": "mask bounds"}
_MASKED = on_positive("ConditioningSetMask", mask=_HALF, set_cond_area="default")
_PROPERTIES = on_positive("ConditioningSetProperties", "nodes_hooks", "cond_NEW", **_BOUNDS, strength=0.7)
_AND_COMBINE = on_positive(
    "ConditioningSetPropertiesAndCombine", "nodes_hooks", "cond", cond_NEW=other_whole, **_BOUNDS
)
_COMBINE = on_positive("ConditioningCombine", wire="conditioning_1", conditioning_2=other_whole)
_CONCAT = on_positive("ConditioningConcat", wire="conditioning_to", conditioning_from=other)
_AVERAGE = on_positive(
    "ConditioningAverage", wire="conditioning_to", conditioning_from=other, conditioning_to_strength=0.5
)
_MULTIPLY = on_positive("ConditioningMultiply", multiplier=1.5)
_ONE_NET = on_positive("ControlNetApply", control_net=_net, image=_HINT, strength=0.8)
_PIXELS = on_both("InstructPixToPixConditioning", "nodes_ip2p", vae=lambda w, r: w.vae, pixels=_HINT)
_BOX = on_positive(
    "GLIGENTextBoxApply",
    wire="conditioning_to",
    clip=lambda w, r: r.clip,
    gligen_textbox_model=lambda w, r: w.gligen(r.network),
    **{"text": "glasses", "width": 64, "height": 32, "x": 32, "y": 16},
)
_SEEN = on_positive("unCLIPConditioning", clip_vision_output=lambda w, r: w.seen, strength=0.8)
_REFERENCE = on_positive("ReferenceLatent", "nodes_edit_model", latent=latent_of((0,)))


def _prompts(name: str, group: str, apply: Apply, answers: Any = None, **more: Any) -> Feature:
    known: dict[str, Answer] = answers or {}
    return Feature(name, group, apply, more.pop("wires", frozenset({PROMPTS})), answers=known, **more)


def _unread(name: str, apply: Apply, networks: tuple[str, ...] = ALL) -> Feature:
    return _prompts(name, "facts the network leaves out", apply, idle=dict.fromkeys(networks, _NO_NEED))


_STEPS = freecure(Refused("FreeCure pairs one with one|holds for a part of the steps only"))
_BOTH = {PROMPTS, LATENT}
PROMPT_NODES: tuple[Feature, ...] = (
    _prompts("ConditioningSetArea", "regions", _AREA, REGION),
    _prompts("ConditioningSetAreaPercentage", "regions", _SHARE, REGION),
    _prompts("ConditioningSetMask", "regions", _MASKED, REGION),
    _prompts(
        "ConditioningSetMask (bounds)", "regions", on_positive("ConditioningSetMask", **_BOUNDS), REGION
    ),
    _prompts("ConditioningSetProperties", "regions", _PROPERTIES, REGION),
    _prompts("GLIGENTextBoxApply", "regions", _BOX, REGION),
    _prompts("ConditioningCombine", "several prompts", _COMBINE, SEVERAL, lacks=_ADDED),
    _prompts("ConditioningSetAreaStrength", "several prompts", _strengths, SEVERAL, lacks=_ADDED),
    _prompts("ConditioningSetPropertiesAndCombine", "several prompts", _AND_COMBINE, SEVERAL, lacks=_ADDED),
    _prompts("ConditioningSetDefaultCombine", "several prompts", _default, SEVERAL, lacks=_ADDED),
    _prompts("ConditioningSetTimestepRange", "several prompts", _two_times, _STEPS, lacks=_ADDED),
    _prompts("ConditioningConcat", "other tokens", _CONCAT),
    _prompts("ConditioningAverage", "other tokens", _AVERAGE, _SCALED),
    _prompts("ConditioningMultiply", "other tokens", _MULTIPLY, _SCALED),
    _prompts("ConditioningZeroOut", "other tokens", _zero_out),
    _prompts("ControlNetApplyAdvanced", "another ControlNet", _NET),
    _prompts("ControlNetApply", "another ControlNet", _ONE_NET),
    _prompts("CLIPTextEncodeControlnet", "another ControlNet", _words_for_control),
    _prompts("InpaintModelConditioning", "a mask on the latents", _inpaint, wires=frozenset(_BOTH)),
    _unread("InstructPixToPixConditioning", _PIXELS, (SDXL, ARC2FACE)),
    _unread("unCLIPConditioning", _SEEN, (ARC2FACE, SD2)),
    _unread("ReferenceLatent", _REFERENCE),
)
