"""Model folders and files, as the host knows them."""

from __future__ import annotations

import argparse
import os
import zipfile
from collections.abc import Mapping
from typing import Any

import comfy.utils
import folder_paths
import torch

#: Model folders the pack adds to the host's own, with the file endings that count in them.
MODEL_FOLDERS: Mapping[str, frozenset[str]] = {
    "arc2face_checkpoints": frozenset({".bin", ".safetensors"}),
    "attributes": frozenset({".safetensors"}),
    "consistentid": frozenset({".bin", ".safetensors"}),
    "e4e": frozenset({".pt", ".pth", ".safetensors"}),
    "emojidiff": frozenset({".bin", ".safetensors"}),
    "fact": frozenset({".bin", ".ckpt", ".pt", ".pth", ".safetensors"}),
    "face_parsing": frozenset({".pth", ".safetensors"}),
    "insightface": frozenset({".onnx"}),
    "instantid": frozenset({".bin", ".safetensors"}),
    "identities": frozenset({".safetensors"}),
    "ipadapter": frozenset({".bin", ".safetensors"}),
    "masterweaver": frozenset({".bin", ".pt", ".safetensors"}),
    "pva": frozenset({".bin", ".safetensors"}),
    "smirk": frozenset({".pt", ".pth", ".safetensors"}),
    "wplus": frozenset({".bin", ".pt", ".safetensors"}),
    "wplus_codes": frozenset({".pt", ".pth", ".safetensors"}),
    "wplus_directions": frozenset({".json", ".npy", ".pt", ".pth", ".safetensors"}),
}


def register_model_folders() -> None:
    """Make our model folders known to the host, beside those of extra_model_paths.yaml.

    A folder that the yaml made has no filter of endings; other packs use the same folders, so a
    filter that is already there is widened, never replaced.
    """
    for name in MODEL_FOLDERS:
        _register(name)


def _register(name: str) -> None:
    """One of them. Nothing for a folder of the host's own."""
    endings = MODEL_FOLDERS.get(name)
    if endings is None:
        return
    default = os.path.join(folder_paths.models_dir, name)
    folders, known = folder_paths.folder_names_and_paths.get(name, ([], set()))
    if default not in folders or not endings <= set(known):
        paths = [*folders, *([default] if default not in folders else [])]
        folder_paths.folder_names_and_paths[name] = (paths, set(known) | endings)


def model_folders(folder: str) -> list[str]:
    """Every folder searched for this kind of model, in order."""
    _register(folder)
    return list(folder_paths.get_folder_paths(folder))


def download_folder(folder: str) -> str:
    """Where files of this kind are put: the folder of extra_model_paths.yaml that comes first, else ours."""
    first, *others = model_folders(folder)
    own = os.path.join(folder_paths.models_dir, folder)
    inside = os.path.dirname(os.path.abspath(first)) == os.path.abspath(folder_paths.models_dir)
    return own if inside and own in (first, *others) else first


def list_models(folder: str) -> list[str]:
    """Names of the files there are, relative to their folder."""
    _register(folder)
    return list(folder_paths.get_filename_list(folder))


def find_model(folder: str, name: str) -> str | None:
    """Full path of a model file, or None. Names of a workflow from another system have other slashes."""
    _register(folder)
    names = (name, name.replace("\\", "/"))
    path = next(filter(None, (folder_paths.get_full_path(folder, one) for one in names)), None)
    return str(path) if path else None


def fingerprint(folder: str, *names: str | None) -> str:
    """Changes when one of these model files does, so that the host runs a loader again."""
    facts = []
    for name in names:
        path = find_model(folder, name) if name else None
        stat = os.stat(path) if path else None
        facts.append(f"{path} {stat.st_size} {stat.st_mtime_ns}" if stat else "missing")
    return "; ".join(facts)


def input_directory() -> str:
    """Where uploaded pictures are."""
    return str(folder_paths.get_input_directory())


def output_directory() -> str:
    """Where the host's savers write."""
    return str(folder_paths.get_output_directory())


def identities_directory() -> str:
    """Where identity files are written: the first folder of its kind."""
    return model_folders("identities")[0]


def next_number(directory: str, filename_prefix: str) -> tuple[str, str, int]:
    """Folder, name and the first free number for a file to write, counted as the host's savers do.

    Only a guess: another process may take that number at the same time.
    """
    os.makedirs(directory, exist_ok=True)
    folder, name, number, _, _ = folder_paths.get_save_image_path(filename_prefix, directory)
    return folder, name, number


def load_archive(path: str) -> tuple[Any, dict[str, str]]:
    """A file with all that is beside its `state_dict`, weights only; numbers are read when they are needed.

    Files of training scripts may also hold their settings, an argparse.Namespace.
    """
    if path.lower().endswith((".safetensors", ".sft")):
        return load_tensors(path)
    with torch.serialization.safe_globals([argparse.Namespace]):
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)), {}


def load_tensors(path: str) -> tuple[Any, dict[str, str]]:
    """A weights file as (its object, its metadata); pickles are read with weights only."""
    tensors, metadata = comfy.utils.load_torch_file(path, safe_load=True, return_metadata=True)
    return tensors, dict(metadata or {})
