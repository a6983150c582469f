"""Weights files that a training begins with."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from likeness.faces.iresnet import IResNet, build_iresnet


def read(path: Path) -> Mapping[str, Any]:
    """The tensors of a .safetensors or pickled file, weights only. Raises ValueError naming the file."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        raise ValueError(f"{path} can't be read as weights. ({error})") from error
    if not isinstance(found, Mapping):
        raise ValueError(f"{path} holds no named tensors but a {type(found).__name__}.")
    return found


def read_face_encoder(path: Path) -> IResNet:
    """ms1mv3_arcface_r50.pth, float32, in eval mode. Raises ValueError naming the file."""
    return build_iresnet(read(path), path.name)
