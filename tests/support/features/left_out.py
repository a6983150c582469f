"""Nodes of the host that have to do with sampling and do not stand in the matrix, by the reason why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NOT_OURS = "for networks that no method of ours draws with"
#: Whole files of the host, comfy_extras/nodes_NAME.py.
FILES: Mapping[str, str] = {
    _NOT_OURS: "ace ar_video audio bernini chroma_radiance flux hidream_o1 hunyuan ideogram4 kandinsky5 lt "
    "minimax_h3 nop optimalsteps pid scail sdupscale stable_cascade triposplat void wan wandancer wanmove",
    "ModelMergeBlocks with an input for each block": "model_merging_model_specific",
}
LEFT_OUT: Mapping[str, tuple[str, ...]] = {
    _NOT_OURS: (
        "ConditioningSetAreaPercentageVideo",
        "ControlNetApplySD3",
        "LTXVContextWindows",
        "ModelSamplingAuraFlow",
        "ModelSamplingFlux",
        "ModelSamplingStableCascade",
        "WanContextWindowsManual",
    ),
    "an apply node of a large network of its own that has no small form": (
        "AnimaLLLiteApply",
        "QwenImageDiffsynthControlnet",
        "StyleModelApply",
        "SUPIRApply",
        "USOStyleReference",
        "WanUni3CControlnetApply",
        "ZImageFunControlnet",
    ),
    "ControlNetApplyAdvanced with a mask in its picture": ("ControlNetInpaintingAliMamaApply",),
    "does to both prompts what a node of the matrix does to one": (
        "PairConditioningCombine",
        "PairConditioningSetDefaultCombine",
        "PairConditioningSetPropertiesAndCombine",
    ),
    "LoraLoader or LoraLoaderBypassModelOnly with another place for its file": (
        "LoraLoaderBypass",
        "LoraModelLoader",
    ),
    "its samplers stand by their own names": ("KSamplerSelect",),
    "a sampler of KSamplerSelect with its numbers as inputs": (
        "SamplerDPMPP_2M_SDE",
        "SamplerDPMPP_2S_Ancestral",
        "SamplerDPMPP_3M_SDE",
        "SamplerDPMPP_SDE",
        "SamplerEulerAncestral",
        "SamplerEulerAncestralCFGPP",
        "SamplerEulerCFGpp",
        "SamplerLCM",
        "SamplerLMS",
        "SamplerSEEDS2",
    ),
    "numbers like those of the schedules that stand there": (
        "BetaSamplingScheduler",
        "ExponentialScheduler",
        "FlipSigmas",
        "GITSScheduler",
        "KarrasScheduler",
        "LaplaceScheduler",
        "ManualSigmas",
        "PolyexponentialScheduler",
        "SetFirstSigma",
        "SplitSigmasDenoise",
        "VPScheduler",
    ),
    "has tests of its own, in tests/host/engine/test_compile.py": ("TorchCompileModel",),
    "a CPU has one device and one kind of numbers; tests/device has others": (
        "ModelComputeDtype",
        "SelectModelDevice",
    ),
    "scales the noise that a flow begins with; ours are no flows": ("ModelNoiseScale",),
    "sorts pictures for training": ("ResolutionBucket",),
}


def sampling_nodes(object_info: Mapping[str, Any]) -> set[str]:
    """The host's nodes that change a MODEL or a prompt, or make a guider, a sampler or noise levels.

    object_info is a running host's. Without those of FILES and of other packs.
    """
    others = {f"comfy_extras.nodes_{name}" for names in FILES.values() for name in names.split()}
    return {
        name.strip()
        for name, about in object_info.items()
        if about["python_module"] not in others
        and not about["python_module"].startswith("custom_nodes")
        and _samples(about)
    }


def _samples(about: Mapping[str, Any]) -> bool:
    given = {wire for wire in about["output"] if isinstance(wire, str)}
    taken = {
        wire[0] for kind in about["input"].values() for wire in kind.values() if isinstance(wire[0], str)
    }
    return bool(given & {"GUIDER", "SAMPLER", "SIGMAS"} or given & taken & {"MODEL", "CONDITIONING"})
