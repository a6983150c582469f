"""The host: the only module of the library that imports ComfyUI."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import comfy.model_management as model_management
import comfy.utils
import folder_paths
import torch
import torch.nn.functional as F
from comfy.controlnet import ControlBase
from comfy.ldm.modules.attention import get_attn_precision, optimized_attention
from comfy.patcher_extension import CallbacksMP, WrappersMP

__all__ = [
    "MODEL_FOLDERS",
    "CallbacksMP",
    "ControlBase",
    "ProgressBar",
    "WrappersMP",
    "base_attention",
    "compute_device",
    "find_model",
    "identities_directory",
    "list_models",
    "load_tensors",
    "model_folders",
    "narrow_attention",
    "next_number",
    "register_model_folders",
    "to_image",
]

#: Model folders the pack adds to the host's own, with the file endings that count in them.
MODEL_FOLDERS: Mapping[str, frozenset[str]] = {
    "insightface": frozenset({".onnx"}),
    "instantid": frozenset({".bin", ".safetensors"}),
    "identities": frozenset({".safetensors"}),
}

ProgressBar = comfy.utils.ProgressBar


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


def compute_device() -> torch.device:
    return model_management.get_torch_device()


def to_image(image: torch.Tensor) -> torch.Tensor:
    """An IMAGE or MASK as the host wants node outputs: its device and dtype."""
    return image.to(model_management.intermediate_device(), model_management.intermediate_dtype())


def base_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, extra_options: Mapping[str, Any]
) -> torch.Tensor:
    """What the layer would have computed without us, host options and overrides included."""
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
    heads, dtype = extra_options["n_heads"], q.dtype
    precision = get_attn_precision(extra_options["attn_precision"], dtype)
    if precision not in (None, dtype):
        q, k, v = (t.to(precision) for t in (q, k, v))
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
    out = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    return out if out.dtype == dtype else out.to(dtype)
