"""Nodes of the host that change the CLIP a prompt is encoded with, or the weights for one prompt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .feature import CLIP, PROMPTS, Feature, NotOffered, Refused
from .model_nodes import freecure
from .networks import ARC2FACE
from .prompt_nodes import on_both, on_positive
from .run import Run
from .world import World

HOOKS = freecure(Refused("carries hooks|holds 2 prompts"))
_LAST = {ARC2FACE: "Encode Arc2Face takes the last layer whatever is set, as it was trained"}
_SDXL_ONLY = dict.fromkeys(
    (
        "Arc2Face",
        "Apply Expression",
        "Apply Reference",
        "Apply E-Adapter",
        "Apply PVA",
        "Apply FACT",
        "Apply MasterWeaver",
        "Apply W+ Adapter",
    ),
    NotOffered("it is for SDXL"),
)


def _hook(world: World, run: Run) -> Any:
    given = {"lora_name": world.lora(run.network), "strength_model": 0.7, "strength_clip": 1.5}
    return world.node("nodes_hooks", "CreateHookLora", **given)[0]


def _scheduled(world: World, run: Run) -> Any:
    """The LoRA grows after half of the steps."""
    frames = None
    for strength, start in ((0.2, 0.0), (1.0, 0.5)):
        given = {"strength_mult": strength, "start_percent": start, "prev_hook_kf": frames}
        frames = world.node("nodes_hooks", "CreateHookKeyframe", **given)[0]
    return world.node("nodes_hooks", "SetHookKeyframes", hooks=_hook(world, run), hook_kf=frames)[0]


def _encoded(world: World, run: Run, clip: Any) -> Run:
    positive, negative = world.encode(run.network, clip, run.person)
    return run.but(clip=clip, positive=positive, negative=negative)


def _clip_hooks(schedule: bool) -> Callable[[World, Run], Run]:
    def apply(world: World, run: Run) -> Run:
        hooks = _scheduled(world, run) if schedule else _hook(world, run)
        given = {"clip": run.clip, "hooks": hooks, "schedule_clip": schedule}
        return _encoded(world, run, world.node("nodes_hooks", "SetClipHooks", **given)[0])

    return apply


def _last_layer(world: World, run: Run) -> Run:
    given = {"clip": run.clip, "stop_at_clip_layer": -3}
    return _encoded(world, run, world.node("nodes", "CLIPSetLastLayer", **given)[0])


def _lora(world: World, run: Run) -> Run:
    given = {"lora_name": world.lora(run.network), "strength_model": 0.5, "strength_clip": 1.5}
    model, clip = world.node("nodes", "LoraLoader", model=run.model, clip=run.clip, **given)
    return _encoded(world, run, clip).but(model=model)


def _sizes(world: World, run: Run) -> Run:
    given = {"width": 96, "height": 512, "crop_w": 32, "text_g": "a man with glasses", "text_l": "a photo"}
    return run.but(positive=world.node("nodes_clip_sdxl", "CLIPTextEncodeSDXL", clip=run.clip, **given)[0])


def _keyframes(world: World, run: Run) -> Run:
    return _SCHEDULED(world, run).but(steps=3)


_PAIR = on_both("PairConditioningSetProperties", suffix="_NEW", hooks=_hook, set_cond_area="default")
_SCHEDULED = on_positive(
    "ConditioningSetProperties", "nodes_hooks", "cond_NEW", hooks=_scheduled, set_cond_area="default"
)
_OF_A_PROMPT, _ENCODER = "LoRAs of a prompt", "text encoder"
_PROMPTS, _CLIP = frozenset({PROMPTS}), frozenset({CLIP})

TEXT_NODES: tuple[Feature, ...] = (
    Feature("PairConditioningSetProperties (hooks)", _OF_A_PROMPT, _PAIR, _PROMPTS, answers=HOOKS),
    Feature("CreateHookKeyframe", _OF_A_PROMPT, _keyframes, _PROMPTS, answers=HOOKS),
    Feature("SetClipHooks", _OF_A_PROMPT, _clip_hooks(False), _CLIP, answers=HOOKS),
    Feature("SetClipHooks (scheduled)", _OF_A_PROMPT, _clip_hooks(True), _CLIP, answers=HOOKS),
    Feature("CLIPSetLastLayer", _ENCODER, _last_layer, _CLIP, idle=_LAST),
    Feature("LoraLoader", _ENCODER, _lora, _CLIP),
    Feature("CLIPTextEncodeSDXL", _ENCODER, _sizes, _CLIP, answers=_SDXL_ONLY),
)
