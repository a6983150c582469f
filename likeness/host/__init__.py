"""The host: the only rooms of the library that import ComfyUI."""

from .attention import base_attention, narrow_attention, with_key_bias
from .files import (
    MODEL_FOLDERS,
    find_model,
    fingerprint,
    identities_directory,
    list_models,
    load_tensors,
    model_folders,
    next_number,
    register_model_folders,
)
from .loading import (
    add_lora,
    diffusers_names,
    load_diffusion_model,
    load_text_encoder,
    managed_network,
    plain_network,
    run_network,
)
from .running import progress, to_image
from .sampling import (
    BrownianTreeNoiseSampler,
    CFGGuider,
    ControlBase,
    branch_options,
    calc_cond_batch,
    default_noise_sampler,
    prepare_mask,
    process_conds,
    sampling_function,
)

__all__ = [
    "MODEL_FOLDERS",
    "BrownianTreeNoiseSampler",
    "CFGGuider",
    "ControlBase",
    "add_lora",
    "base_attention",
    "branch_options",
    "calc_cond_batch",
    "default_noise_sampler",
    "diffusers_names",
    "find_model",
    "fingerprint",
    "identities_directory",
    "list_models",
    "load_diffusion_model",
    "load_tensors",
    "load_text_encoder",
    "managed_network",
    "model_folders",
    "narrow_attention",
    "next_number",
    "plain_network",
    "prepare_mask",
    "process_conds",
    "progress",
    "register_model_folders",
    "run_network",
    "sampling_function",
    "to_image",
    "with_key_bias",
]
