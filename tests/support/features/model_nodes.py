"""Nodes of the host that change a MODEL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from .feature import ALONE, LATENT, MODEL, ORDER, Answer, Feature, Refused, Told, Works
from .networks import NETWORKS, SDXL
from .other_prompts import other_whole
from .run import Run
from .world import World

ALL = NETWORKS
NO_DIT = "for transformers: a U-Net has none of its layers"
WHOLE_BATCH = "it looks at the whole batch"
FREECURE = ("Guide with FreeCure", "Repair with FreeCure")

ONE_LORA = r"different LoRAs or other weight patches\. Apply LoRAs and sampling nodes once"


def freecure(answer: Answer) -> dict[str, Answer]:
    return dict.fromkeys(FREECURE, answer)


def on_model(module: str, node_id: str, **inputs: Any) -> Callable[[World, Run], Run]:
    def apply(world: World, run: Run) -> Run:
        return run.but(model=world.node(module, node_id, model=run.model, **inputs)[0])

    return apply


def of_model(
    group: str,
    module: str,
    node_id: str,
    called: str = "",
    idle: Mapping[str, str] | None = None,
    lacks: Mapping[str, str] | None = None,
    answers: Mapping[str, Answer] | None = None,
    steps: int = 1,
    pictures: tuple[int, ...] | None = None,
    **inputs: Any,
) -> Feature:
    apply = on_model(module, node_id, **inputs)

    def with_steps(world: World, run: Run) -> Run:
        return apply(world, run).but(steps=max(run.steps, steps))

    name = f"{node_id} ({called})" if called else node_id
    return Feature(
        name, group, with_steps, idle=idle or {}, lacks=lacks or {}, answers=answers or {}, pictures=pictures
    )


def no(networks: tuple[str, ...], why: str) -> dict[str, str]:
    return dict.fromkeys(networks, why)


def _operation(world: World, run: Run) -> Run:
    operation = world.node("nodes_latent", "LatentOperationTonemapReinhard", multiplier=0.5)[0]
    return on_model("nodes_latent", "LatentApplyOperationCFG", operation=operation)(world, run)


def _differential(world: World, run: Run) -> Run:
    mask = torch.linspace(0, 1, 128).expand(1, 64, 128).contiguous()
    latent = world.node("nodes", "SetLatentNoiseMask", samples=run.latent, mask=mask)[0]
    return on_model("nodes_differential_diffusion", "DifferentialDiffusion")(world, run).but(
        latent=latent, steps=3
    )


def _perp_neg(world: World, run: Run) -> Run:
    """Beside the very prompt it divides 0 by 0, where a processor gives both the same to the bit."""
    empty = other_whole(world, run)
    return on_model("nodes_perpneg", "PerpNeg", empty_conditioning=empty)(world, run)


def _windows(world: World, run: Run) -> Run:
    """Two pictures of four at a time."""
    given = {"context_length": 2, "context_overlap": 1, "context_schedule": "standard_static"}
    given |= {"fuse_method": "pyramid"}
    return on_model("nodes_context_windows", "ContextWindowsManual", **given)(world, run)


def _windows_over_width(world: World, run: Run) -> Run:
    given = {"context_length": 8, "context_overlap": 4, "context_schedule": "standard_static", "dim": 3}
    given |= {"fuse_method": "pyramid"}
    return on_model("nodes_context_windows", "ContextWindowsManual", **given)(world, run)


#: What the network does with its rows is asserted beside the nodes that reach into it.
_OUTSIDE = {ALONE: "it works on what the network gave, a picture at a time"}


def _guidance(module: str, node_id: str, called: str = "", group: str = "guidance", **more: Any) -> Feature:
    return of_model(group, module, node_id, called, **{"lacks": _OUTSIDE, **more})


def _for_transformers(module: str, node_id: str, **more: Any) -> Feature:
    return of_model("for transformers", module, node_id, idle=no(ALL, NO_DIT), lacks=_OUTSIDE, **more)


_IN_THE_MIDDLE = {"Apply Reference": Told("another node took their place in the MODEL")}
_MEMORY = "guidance with a memory"
_WHOLE = {ALONE: WHOLE_BATCH}
_ALWAYS = {"start_percent": 0.0, "end_percent": 1.0}
GUIDANCE = (
    _guidance("nodes_cfg", "CFGZeroStar"),
    _guidance("nodes_cfg", "CFGNorm"),
    _guidance("nodes_cfg", "CFGNorm", "before", pre_cfg=True),
    _guidance("nodes_tcfg", "TCFG"),
    _guidance("nodes_mahiro", "Mahiro", lacks=_WHOLE),
    _guidance("nodes_model_advanced", "RescaleCFG"),
    # The host's node takes one picture only.
    _guidance("nodes_lumina2", "RenormCFG", pictures=(1,), cfg_trunc=100.0),
    _guidance("nodes_fresca", "FreSca", freq_cutoff=2, scale_high=3.0),
    _guidance("nodes_custom_sampler", "CFGOverride", cfg=1.0),
    _guidance("nodes_video_model", "VideoLinearCFGGuidance", lacks=_WHOLE),
    _guidance("nodes_video_model", "VideoTriangleCFGGuidance", lacks=_WHOLE),
    Feature("LatentApplyOperationCFG", "guidance", _operation, lacks=_OUTSIDE),
    Feature("PerpNeg", "guidance", _perp_neg, lacks=_WHOLE),
    _guidance("nodes_apg", "APG", "", _MEMORY, eta=0.5, norm_threshold=2.0),
    _guidance("nodes_apg", "APG", "momentum", _MEMORY, momentum=-0.5, norm_threshold=2.0, steps=3),
    of_model("more calls of the network", "nodes_pag", "PerturbedAttentionGuidance"),
    of_model("more calls of the network", "nodes_sag", "SelfAttentionGuidance", answers=_IN_THE_MIDDLE),
    of_model("attention of both rows", "nodes_nag", "NAGuidance"),
    _for_transformers("nodes_slg", "SkipLayerGuidanceDiT", **_ALWAYS),
    _for_transformers("nodes_slg", "SkipLayerGuidanceDiTSimple"),
    _for_transformers("nodes_sd3", "SkipLayerGuidanceSD3", **_ALWAYS),
    _for_transformers("nodes_rope", "ScaleROPE", scale_x=2.0),
)

#: FreeCure wants one set of weights and one sampling object for both MODELs.
ONCE = freecure(Refused(ONE_LORA, after=True))


def _levels(module: str, node_id: str, called: str = "", **more: Any) -> Feature:
    return of_model("noise levels", module, node_id, called, lacks=_OUTSIDE, **more)


_ADVANCED, _DISCRETE = "nodes_model_advanced", "ModelSamplingDiscrete"
SAMPLING = (
    _levels(_ADVANCED, _DISCRETE, "lcm", answers=ONCE, sampling="lcm", steps=3),
    _levels(_ADVANCED, _DISCRETE, "v_prediction", answers=ONCE, sampling="v_prediction"),
    # It changes how latents are scaled, too, and a reference is seen as the MODEL at hand scales it.
    _levels(
        _ADVANCED,
        "ModelSamplingContinuousEDM",
        answers=ONCE | {"Apply Reference": Works({ORDER: "it sees what the MODEL says then"})},
        sampling="edm_playground_v2.5",
    ),
    _levels(_ADVANCED, "ModelSamplingContinuousV", answers=ONCE, sampling="v_prediction"),
    _levels(_ADVANCED, "ModelSamplingSD3", answers=ONCE),
    _levels("nodes_eps", "Epsilon Scaling", scaling_factor=1.05),
    # The host's node takes one picture only.
    _levels("nodes_eps", "TemporalScoreRescaling", pictures=(1,), tsr_k=0.8),
)

_SHRINK = {"downscale_method": "bicubic", "upscale_method": "bicubic", "end_percent": 1.0}
_CACHE = {**_ALWAYS, "reuse_threshold": 1.0, "steps": 6, "lacks": _WHOLE}
_FINEST = "the host merges tokens of the finest level only, where SDXL has no attention"
_UNET, _TOKENS, _LESS = "features of the U-Net", "tokens of self attention", "calls left out"
_IN_STEP = freecure(Refused("samples in context windows, which FreeCure cannot keep in step"))


NETWORK = (
    of_model(_UNET, "nodes_freelunch", "FreeU"),
    of_model(_UNET, "nodes_freelunch", "FreeU_V2"),
    of_model(_UNET, "nodes_model_downscale", "PatchModelAddDownscale", block_number=3, **_SHRINK),
    of_model(
        _UNET,
        "nodes_model_downscale",
        "PatchModelAddDownscale",
        "before skip",
        block_number=2,
        downscale_after_skip=False,
        **_SHRINK,
    ),
    of_model(_TOKENS, "nodes_hypertile", "HyperTile", tile_size=32, swap_size=1, max_depth=1),
    of_model(_TOKENS, "nodes_tomesd", "TomePatchModel", idle=no((SDXL,), _FINEST), ratio=0.5),
    of_model(_LESS, "nodes_easycache", "EasyCache", **_CACHE),
    of_model(_LESS, "nodes_easycache", "LazyCache", **_CACHE),
    Feature(
        "ContextWindowsManual",
        "context windows",
        _windows,
        idle=no(ALL, "the pictures of a batch do not see each other"),
        answers=_IN_STEP,
        pictures=(0, 1, 2, 3),
    ),
    # The host cuts the noise levels of several pictures along, and fails.
    Feature(
        "ContextWindowsManual (width)",
        "context windows",
        _windows_over_width,
        answers=_IN_STEP,
        pictures=(1,),
    ),
    Feature("DifferentialDiffusion", "a mask on the latents", _differential, frozenset({MODEL, LATENT})),
    of_model("devices", "nodes_multigpu", "MultiGPU_WorkUnits", idle=no(ALL, "there is one device")),
)
MODEL_NODES: tuple[Feature, ...] = (*GUIDANCE, *SAMPLING, *NETWORK)
