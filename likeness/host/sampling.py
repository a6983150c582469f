"""The host's sampling code, and what a second MODEL needs to run in it."""

from __future__ import annotations

from typing import Any

import torch
from comfy.controlnet import ControlBase
from comfy.k_diffusion.sampling import BrownianTreeNoiseSampler, default_noise_sampler
from comfy.model_patcher import create_model_options_clone
from comfy.sampler_helpers import prepare_mask, prepare_model_patcher
from comfy.samplers import CFGGuider, calc_cond_batch, cast_to_load_options, process_conds, sampling_function

__all__ = [
    "BrownianTreeNoiseSampler",
    "CFGGuider",
    "ControlBase",
    "branch_options",
    "calc_cond_batch",
    "default_noise_sampler",
    "prepare_mask",
    "process_conds",
    "sampling_function",
]


def branch_options(model: Any, conds: Any, sigmas: torch.Tensor, device: torch.device) -> dict[str, Any]:
    """The options a second MODEL is sampled with, prepared as the host's guider does for the first."""
    for target in (device, model.model_dtype()):
        model.model_patches_to(target)
    options: dict[str, Any] = create_model_options_clone(model.model_options)
    prepare_model_patcher(model, conds, options)
    options["transformer_options"]["sample_sigmas"] = sigmas
    cast_to_load_options(options, device=device, dtype=model.model_dtype())
    return options
