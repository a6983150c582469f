"""Weights files, and models in diffusers' layout, that a training begins with."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from likeness.faces.iresnet import IResNet, build_iresnet

from .autoencoders import class_in


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


def read_parts(where: str, local: bool = True, two_encoders: bool = False) -> dict[str, Any]:
    """The parts of a model in diffusers' layout, by their folders' names; networks are float32.

    local: where is a folder, else the id of a model on the hub. two_encoders: as SDXL has them. Raises
    ValueError for a part that is missing or broken.
    """
    from diffusers import DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    kinds: dict[str, Any] = {"unet": UNet2DConditionModel, "vae": class_in(Path(where))}
    kinds |= {"text_encoder": CLIPTextModel, "tokenizer": CLIPTokenizer, "scheduler": DDIMScheduler}
    if two_encoders:
        kinds |= {"text_encoder_2": CLIPTextModelWithProjection, "tokenizer_2": CLIPTokenizer}
    missing = [name for name in kinds if local and not (Path(where) / name).is_dir()]
    if missing:
        raise ValueError(f"--base {where} is no folder in diffusers' layout: it lacks {missing[0]}.")
    parts = {}
    for name, kind in kinds.items():
        extra: Any = {} if "tokenizer" in name or name == "scheduler" else {"torch_dtype": torch.float32}
        try:
            parts[name] = kind.from_pretrained(where, subfolder=name, local_files_only=local, **extra)
        except (OSError, ValueError, RuntimeError) as error:
            raise ValueError(f"--base {where}: its part {name} can't be read. ({error})") from error
    return parts
