"""What FreeCure cannot work with, and what to do about it. Spec: pva_freecure_emojidiff.md B.4."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from ...adapters import kind_of
from ...attention.compiled import compiled
from ...attention.sites import Site
from ...values import Conditioning

#: They take a noise_sampler as their ancestral relatives do, and never add what it draws.
_ADD_NOTHING = frozenset({"sample_res_multistep", "sample_res_multistep_cfg_pp"})


def check_models(personalised: Any, foundation: Any) -> None:
    """Raises ValueError unless one loaded network can serve both MODELs."""
    if not personalised.is_clone(foundation):
        raise ValueError(
            f"personalised ({kind_of(personalised)}) and foundation ({kind_of(foundation)}) come from two "
            "loaders. Connect both to the same Load Checkpoint: foundation before the identity node, "
            "personalised after it."
        )
    if not _same_weights(personalised, foundation):
        raise ValueError(
            "personalised and foundation have different LoRAs or other weight patches. Apply LoRAs and "
            "sampling nodes once, right after Load Checkpoint, and part the two models after them."
        )
    for name, model in (("personalised", personalised), ("foundation", foundation)):
        if "context_handler" in model.model_options:
            raise ValueError(
                f"{name} samples in context windows, which FreeCure cannot keep in step. Take the context "
                "windows node out."
            )
        if compiled(model.wrappers):
            raise ValueError(
                f"{name} is compiled (Torch Compile Model). FreeCure stops the foundation's network where it "
                "has seen enough and keeps what its layers saw, which a compiled graph can't do. Take the "
                "compile node out."
            )
        if model.get_additional_models_with_key("multigpu"):
            raise ValueError(
                f"{name} runs on several GPUs, which FreeCure cannot keep in step. Take the multi-GPU node "
                "out."
            )


def check_experimental(model: Any, experimental: bool) -> None:
    """Raises ValueError for a Flux MODEL unless the user asked for what no published code confirms."""
    if not experimental:
        raise ValueError(
            f"personalised is {kind_of(model)}. FreeCure on Flux is experimental: it follows the paper's "
            "text, because no code was published. Turn experimental on to use it, or connect an SD1.5 or "
            "SDXL checkpoint."
        )


def _same_weights(one: Any, other: Any) -> bool:
    if one.patches_uuid != other.patches_uuid and (one.patches or other.patches):
        return False
    if one.injections != other.injections:  # the host's objects are equal when they are the same
        return False
    hooks = one.hook_patches.keys() == other.hook_patches.keys() and one.forced_hooks == other.forced_hooks
    objects = one.object_patches, other.object_patches
    same_objects = objects[0].keys() == objects[1].keys() and all(
        value is objects[1][key] for key, value in objects[0].items()
    )
    return hooks and same_objects


def carries_identity(conditioning: Conditioning) -> bool:
    """Whether an IdentityControl is among the ControlNets of a CONDITIONING."""
    for _, facts in conditioning:
        control = facts.get("control")
        while control is not None:
            if getattr(control, "carries_identity", False):
                return True
            control = getattr(control, "previous_controlnet", None)
    return False


def check_conditioning(name: str, conditioning: Conditioning, several: bool = False) -> None:
    """Raises ValueError unless the CONDITIONING is one prompt for the whole picture and all steps.

    several allows more than one prompt, which negative rows may have as long as they are left alone.
    """
    if not conditioning or (len(conditioning) > 1 and not several):
        raise ValueError(
            f"{name} holds {len(conditioning)} prompts, but FreeCure pairs one with one. Use a single prompt "
            "(Conditioning Concat joins texts; regional prompts do not work here)."
        )
    for _, facts in conditioning:
        if "area" in facts or "mask" in facts or "gligen" in facts:
            raise ValueError(
                f"{name} is for a region of the picture, but FreeCure needs prompts for all of it. Take the "
                "area or mask off; connect the region to this node's mask instead."
            )
        if facts.get("start_percent", 0.0) > 0 or facts.get("end_percent", 1.0) < 1:
            raise ValueError(
                f"{name} holds for a part of the steps only. Take Conditioning Set Timestep Range out."
            )
        control = facts.get("control")
        if facts.get("hooks") is not None or (control is not None and control.get_extra_hooks()):
            raise ValueError(
                f"{name} carries hooks (scheduled LoRAs), which would make the two models differ. Take them "
                "off and load the LoRA before the two models part."
            )


def check_slots(name: str, model: Any, sites: Sequence[Site]) -> None:
    """Raises ValueError when another pack computes a layer that FreeCure must add a bias to."""
    slots = model.model_options["transformer_options"].get("patches_replace", {}).get("attn1", {})
    for site in sites:
        occupant = slots.get(site.key, slots.get(site.key[:2]))
        if hasattr(occupant, "sources"):
            occupant = occupant.base or slots.get(site.key[:2])
        if occupant is not None:
            kind = type(occupant).__module__
            raise ValueError(
                f"{name}: another node ({kind}) replaces the self-attention of layer {site.key}, and cannot "
                "add FreeCure's bias to it. Take that node out, choose other layers, or use mode paper."
            )


def check_sampler(sampler: Any) -> None:
    """Raises ValueError for samplers whose steps depend on the picture."""
    function = getattr(sampler, "sampler_function", None)
    if "adaptive" in getattr(function, "__name__", type(sampler).__name__).lower():
        raise ValueError(
            "sampler: dpm_adaptive chooses its steps by looking at the picture, so that the two pictures "
            "would take different ones. Use dpmpp_2m or euler instead."
        )


def check_deterministic(sampler: Any) -> None:
    """Raises ValueError for a sampler that adds noise on its way: ancestral, SDE, or with churn."""
    function = getattr(sampler, "sampler_function", None)
    options = getattr(sampler, "extra_options", {})
    name = getattr(function, "__name__", type(sampler).__name__)
    takes_noise = function is not None and "noise_sampler" in inspect.signature(function).parameters
    # eta is how much of the noise is new: 0 makes most of them deterministic.
    adds_noise = options.get("eta", 1 if takes_noise and name not in _ADD_NOTHING else 0) > 0
    if adds_noise or options.get("s_churn", 0) > 0:
        raise ValueError(
            f"sampler: {name.removeprefix('sample_')} adds noise on its way, over what the inversion kept of "
            "the picture. Use euler, dpmpp_2m or ddim, with eta and s_churn 0 where there are such."
        )


def check_pictures(name: str, samples: Any) -> None:
    """Raises ValueError for a latent of several in one, as video with sound has."""
    if getattr(samples, "is_nested", False):
        raise ValueError(f"{name} holds video or audio; FreeCure repairs pictures.")
