"""E-adapter files: which there are, loading each once per process, writing them.

Spec: pva_freecure_emojidiff.md C.1 (state dict).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from weakref import WeakValueDictionary

import torch

from ... import host
from ...adapters import Adapter
from ...choices.emojidiff import FOLDERS, PUBLISHED
from ...weights.catalogue import catalogue
from ...weights.find import MissingModel, explain_missing
from ...weights.read import read_weights
from ...weights.write import write_tensors
from .adapter import parse
from .kinds import BASES, FORMAT, TEMPLATE, described_layers

#: The CLIP vision model that files are made for unless they say otherwise.
CLIP = "CLIP-ViT-H-14-laion2B-s32B-b79K"

#: Loaded adapters by path, size and time of change: shared while any workflow holds them.
_loaded: WeakValueDictionary[str, Adapter] = WeakValueDictionary()


def fingerprint(file: str | None) -> str:
    """Changes when the file does, so that the host runs the loader again."""
    return host.files.fingerprint(_folder_of(file) if file else FOLDERS[0], file)


def load(file: str) -> Adapter:
    """The adapter `file` of models/emojidiff or models/ipadapter. Raises MissingModel, or ValueError."""
    path, key = host.files.find_model(_folder_of(file), file), fingerprint(file)
    if path is None:
        published = catalogue()[PUBLISHED]
        folders = [Path(folder) for name in FOLDERS for folder in host.files.model_folders(name)]
        raise MissingModel(f"{file} is not there. {explain_missing(published, folders)}")
    adapter = _loaded.get(key)
    if adapter is None:
        adapter = _loaded[key] = replace(parse(*read_weights(path), name=os.path.basename(path)), file=key)
    return adapter


def _folder_of(file: str) -> str:
    return next((folder for folder in FOLDERS if host.files.find_model(folder, file)), FOLDERS[0])


def write(
    path: str | Path,
    image_proj: Mapping[str, torch.Tensor],
    layers: Mapping[str, torch.Tensor],
    base: str,
    clip: str = CLIP,
) -> None:
    """A flat safetensors file in IP-Adapter-Plus' names, which the common IP-Adapter pack loads, too.

    image_proj: the Resampler's tensors (`latents`, `proj_in.weight`, ...); layers: `{n}.to_k_ip.weight` and
    `{n}.to_v_ip.weight`, n odd in checkpoint order (down, up, middle), as many as were trained. base: sd15
    or sdxl. What is written is read once first: raises ValueError for what would not load.
    """
    if base not in BASES:
        raise ValueError(f"base must be one of {', '.join(BASES)}, not {base!r}.")
    flat = {f"image_proj.{key}": value.detach().cpu() for key, value in image_proj.items()}
    flat |= {f"ip_adapter.{key}": value.detach().cpu() for key, value in layers.items()}
    facts = {"format": FORMAT, "base": base, "clip": clip, "template": TEMPLATE}
    facts["layers"] = described_layers(layers, base)
    parse(flat, facts, Path(path).name)
    write_tensors({key: value.clone() for key, value in flat.items()}, facts, path)
