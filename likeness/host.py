"""The host: the only module of the library that imports ComfyUI."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import comfy.lora
import comfy.lora_convert
import comfy.model_management as model_management
import comfy.model_patcher
import comfy.ops
import comfy.sd
import comfy.sd1_clip
import comfy.supported_models
import comfy.utils
import folder_paths
import torch
import torch.nn.functional as F
from comfy.controlnet import ControlBase
from comfy.k_diffusion.sampling import BrownianTreeNoiseSampler, default_noise_sampler
from comfy.ldm.modules.attention import get_attn_precision, optimized_attention
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.model_patcher import create_model_options_clone
from comfy.sampler_helpers import prepare_mask, prepare_model_patcher
from comfy.samplers import CFGGuider, calc_cond_batch, cast_to_load_options, process_conds, sampling_function
from comfy.supported_models_base import ClipTarget

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

#: Model folders the pack adds to the host's own, with the file endings that count in them.
MODEL_FOLDERS: Mapping[str, frozenset[str]] = {
    "face_parsing": frozenset({".pth", ".safetensors"}),
    "insightface": frozenset({".onnx"}),
    "instantid": frozenset({".bin", ".safetensors"}),
    "identities": frozenset({".safetensors"}),
    "ipadapter": frozenset({".bin", ".safetensors"}),
    "smirk": frozenset({".pt", ".pth", ".safetensors"}),
}


def register_model_folders() -> None:
    """Make our model folders known to the host, beside those of extra_model_paths.yaml.

    A folder that the yaml made has no filter of endings; other packs use the same folders, so a
    filter that is already there is widened, never replaced.
    """
    for name, endings in MODEL_FOLDERS.items():
        default = os.path.join(folder_paths.models_dir, name)
        folders, known = folder_paths.folder_names_and_paths.get(name, ([], set()))
        if default not in folders or not endings <= set(known):
            paths = [*folders, *([default] if default not in folders else [])]
            folder_paths.folder_names_and_paths[name] = (paths, set(known) | endings)


def model_folders(folder: str) -> list[str]:
    """Every folder searched for this kind of model, in order."""
    register_model_folders()
    return list(folder_paths.get_folder_paths(folder))


def list_models(folder: str) -> list[str]:
    """Names of the files there are, relative to their folder."""
    register_model_folders()
    return list(folder_paths.get_filename_list(folder))


def find_model(folder: str, name: str) -> str | None:
    """Full path of a model file, or None."""
    register_model_folders()
    path = folder_paths.get_full_path(folder, name)
    return str(path) if path else None


def fingerprint(folder: str, *names: str | None) -> str:
    """Changes when one of these model files does, so that the host runs a loader again."""
    facts = []
    for name in names:
        path = find_model(folder, name) if name else None
        stat = os.stat(path) if path else None
        facts.append(f"{path} {stat.st_size} {stat.st_mtime_ns}" if stat else "missing")
    return "; ".join(facts)


def identities_directory() -> str:
    """Where identity files are written: the first folder of its kind."""
    return model_folders("identities")[0]


def next_number(directory: str, filename_prefix: str) -> tuple[str, str, int]:
    """Folder, name and the first free number for a file to write, counted as the host's savers do."""
    os.makedirs(directory, exist_ok=True)
    folder, name, number, _, _ = folder_paths.get_save_image_path(filename_prefix, directory)
    return folder, name, number


def load_tensors(path: str) -> tuple[Any, dict[str, str]]:
    """A weights file as (its object, its metadata); pickles are read with weights only."""
    tensors, metadata = comfy.utils.load_torch_file(path, safe_load=True, return_metadata=True)
    return tensors, dict(metadata or {})


def load_diffusion_model(path: str) -> Any:
    """A U-Net file, in the host's or diffusers' layout, as MODEL."""
    return comfy.sd.load_diffusion_model(path)


def diffusers_names() -> frozenset[str]:
    """The names of every tensor of an SD1.5 U-Net in diffusers' layout: 686."""
    detected = {"in_channels": 4, "out_channels": 4, "num_res_blocks": [2] * 4, "channel_mult": [1, 2, 4, 4]}
    detected |= {"transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0], "transformer_depth_middle": 1}
    detected |= {"transformer_depth_output": [1] * 9 + [0] * 3, "image_size": 32, "legacy": False}
    fixed = {**comfy.supported_models.SD15.unet_config, **comfy.supported_models.SD15.unet_extra_config}
    config = {**fixed, **detected, "use_spatial_transformer": True}
    operations = comfy.ops.disable_weight_init
    there = set(UNetModel(**config, device="meta", operations=operations).state_dict())
    return frozenset(name for name, ours in comfy.utils.unet_to_diffusers(config).items() if ours in there)


def load_text_encoder(path: str, config: Mapping[str, int], dtype: torch.dtype) -> Any:
    """A CLIP-L text encoder file as CLIP, with the sizes and in the precision of the file."""
    clip = _text_encoder(path, config, dtype)
    # Multi-GPU and scheduled LoRAs make the host load it again.
    clip.patcher.cached_patcher_init = (_text_encoder_patcher, (path, config, dtype))
    return clip


def _text_encoder_patcher(
    path: str, config: Mapping[str, int], dtype: torch.dtype, disable_dynamic: bool = False
) -> Any:
    return _text_encoder(path, config, dtype, disable_dynamic).patcher


def _text_encoder(
    path: str, config: Mapping[str, int], dtype: torch.dtype, disable_dynamic: bool = False
) -> Any:
    tensors, _ = load_tensors(path)
    target = ClipTarget(comfy.sd1_clip.SD1Tokenizer, comfy.sd1_clip.SD1ClipModel)
    return comfy.sd.CLIP(
        target,
        parameters=comfy.utils.calculate_parameters(tensors),
        state_dict=[tensors],
        model_options={"clip_l_model_config": dict(config), "dtype": dtype},
        disable_dynamic=disable_dynamic,
    )


def plain_network(model: Any, memory: int) -> tuple[Any, torch.device, torch.dtype]:
    """(network, device, dtype) of a MODEL without its LoRAs and patches, loaded and ready to run.

    memory: bytes that running it takes beside its weights.
    """
    plain = model.clone()
    plain.model_options = {"transformer_options": {}}
    plain.patches, plain.patches_uuid = {}, uuid.uuid4()
    model_management.load_models_gpu([plain], memory_required=memory)
    return plain.model.diffusion_model, plain.load_device, plain.model.get_dtype_inference()


#: What follows a layer's name in the keys of a LoRA file.
_LORA_PART = re.compile(
    r"(_lora\.|\.lora_|\.lora\.|\.alpha$|\.dora_scale$|\.hada_|\.lokr_|\.oft_|\.diff|\.w_norm|\.b_norm).*"
)


def add_lora(model: Any, tensors: Mapping[str, torch.Tensor], strength: float) -> tuple[Any, list[str]]:
    """(a clone of MODEL with a LoRA, the names in the file that fit nothing)."""
    names = comfy.lora.model_lora_keys_unet(model.model, {})
    loaded = comfy.lora.load_lora(comfy.lora_convert.convert_lora(dict(tensors)), names, log_missing=False)
    model = model.clone()
    model.add_patches(loaded, strength)
    fitting = {name for name, target in names.items() if target in loaded}
    modules = {key: _LORA_PART.sub("", key) for key in tensors}
    return model, sorted(key for key, module in modules.items() if module not in fitting)


def managed_network(network: torch.nn.Module) -> Any:
    """A patcher that lets the host decide where a network of plain fp32 layers lies; nothing runs yet."""
    # By attribute: the host replaces the class when it manages memory layer by layer.
    make = comfy.model_patcher.CoreModelPatcher
    device, rest = model_management.get_torch_device(), model_management.unet_offload_device()
    return make(network, load_device=device, offload_device=rest)


def run_network(patcher: Any, memory: int) -> tuple[Any, torch.device]:
    """(network, device) of managed_network, loaded and ready. memory: bytes a run takes beside weights."""
    model_management.load_models_gpu([patcher], memory_required=memory)
    return patcher.model, patcher.load_device


def progress(total: int) -> Callable[[], None]:
    """A progress bar on the running node: call the result after each of `total` steps.

    The call does not return when the user has cancelled: the host's interrupt passes through.
    """
    bar = comfy.utils.ProgressBar(total)

    def step() -> None:
        model_management.throw_exception_if_processing_interrupted()
        bar.update(1)

    return step


def to_image(image: torch.Tensor) -> torch.Tensor:
    """An IMAGE or MASK as the host wants node outputs: its device and dtype."""
    return image.to(model_management.intermediate_device(), model_management.intermediate_dtype())


def branch_options(model: Any, conds: Any, sigmas: torch.Tensor, device: torch.device) -> dict[str, Any]:
    """The options a second MODEL is sampled with, prepared as the host's guider does for the first."""
    for target in (device, model.model_dtype()):
        model.model_patches_to(target)
    options: dict[str, Any] = create_model_options_clone(model.model_options)
    prepare_model_patcher(model, conds, options)
    options["transformer_options"]["sample_sigmas"] = sigmas
    cast_to_load_options(options, device=device, dtype=model.model_dtype())
    return options


_KEY_BIAS = "likeness_key_bias"


def with_key_bias(extra_options: Mapping[str, Any], bias: torch.Tensor) -> dict[str, Any]:
    """Options that make base_attention add bias [1 or rows, 1, 1, keys] to its logits.

    Keys that are appended after that have a bias of 0.
    """
    return {**extra_options, _KEY_BIAS: bias}


def base_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, extra_options: Mapping[str, Any]
) -> torch.Tensor:
    """What the layer would have computed without us, host options and overrides included."""
    bias = extra_options.get(_KEY_BIAS)
    if bias is not None:
        # The host's fast kernels take no bias, or none that is the same for all queries.
        return _scaled_dot_product(q, k, v, extra_options, F.pad(bias, (0, k.shape[1] - bias.shape[-1])))
    return optimized_attention(
        q,
        k,
        v,
        extra_options["n_heads"],
        attn_precision=extra_options["attn_precision"],
        transformer_options=extra_options,
    )


def narrow_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, extra_options: Mapping[str, Any]
) -> torch.Tensor:
    """Attention to a handful of tokens, at the precision the host wants for this layer.

    PyTorch's own kernel is the fastest for so few keys, also where the host prefers another for long
    contexts (measured on the CPU with 16 keys: 1.1 to 3.7 times), and no override of another pack was
    made for it.
    """
    return _scaled_dot_product(q, k, v, extra_options, None)


def _scaled_dot_product(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    extra_options: Mapping[str, Any],
    bias: torch.Tensor | None,
) -> torch.Tensor:
    heads, dtype = extra_options["n_heads"], q.dtype
    precision = get_attn_precision(extra_options["attn_precision"], dtype)
    if precision not in (None, dtype):
        q, k, v = (t.to(precision) for t in (q, k, v))
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
    mask = None if bias is None else bias.to(q.dtype)
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)
    return out if out.dtype == dtype else out.to(dtype)
