"""The Stable Diffusion inpainting model that PVA is trained on, out of a diffusers folder or one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..autoencoders import class_in
from ..reading import read_parts

_INPAINTING_CHANNELS = 9


@dataclass(frozen=True, eq=False)
class InpaintingModel:
    """diffusers' parts, float32 on the CPU, all frozen."""

    unet: Any
    vae: Any
    text_encoder: Any
    tokenizer: Any
    scheduler: Any


def load(where: str, config: str | None = None) -> InpaintingModel:
    """A folder in diffusers' layout, a .safetensors file of a whole checkpoint, or a hub id.

    config: for one file, the folder or hub id whose configuration and tokeniser belong to it; without,
    diffusers asks the hub. Nothing that exists on the disk is looked for elsewhere. Raises ValueError when
    it is no inpainting model that predicts noise.
    """
    path = Path(where)
    if path.is_dir():
        model = _from_folder(where, local=True)
    elif path.is_file():
        model = _from_file(where, config)
    elif path.suffix in (".safetensors", ".ckpt") or path.is_absolute() or where.startswith("."):
        raise ValueError(f"--base {where} is not there.")
    else:
        model = _from_folder(where, local=False)
    check(model, where)
    return model


def check(model: InpaintingModel, name: str) -> None:
    """Freezes everything. Raises ValueError for another kind of model."""
    channels = model.unet.config.in_channels
    if channels != _INPAINTING_CHANNELS:
        raise ValueError(
            f"--base {name} is no inpainting model: its network takes {channels} channels instead of 9. "
            "PVA's is Stable Diffusion 2 inpainting."
        )
    prediction = model.scheduler.config.get("prediction_type", "epsilon")
    if prediction != "epsilon":
        raise ValueError(f"--base {name} predicts {prediction}; PVA needs a model that predicts epsilon.")
    for part in (model.unet, model.vae, model.text_encoder):
        part.requires_grad_(False).eval()


def _from_folder(where: str, local: bool) -> InpaintingModel:
    from diffusers import DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    kinds = {
        "unet": UNet2DConditionModel,
        "vae": class_in(Path(where)),
        "text_encoder": CLIPTextModel,
        "tokenizer": CLIPTokenizer,
        "scheduler": DDIMScheduler,
    }
    return InpaintingModel(**read_parts(where, kinds, local))


def _from_file(where: str, config: str | None) -> InpaintingModel:
    from diffusers import DDIMScheduler, StableDiffusionInpaintPipeline

    known: dict[str, Any] = {"config": config} if config else {}
    if config and Path(config).is_dir():
        known["local_files_only"] = True
    try:
        pipe = StableDiffusionInpaintPipeline.from_single_file(
            where, torch_dtype=torch.float32, safety_checker=None, **known
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"--base {where} can't be read as one checkpoint file. Without network, give its configuration "
            f"as a folder in diffusers' layout with --base-config. ({error})"
        ) from error
    scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    return InpaintingModel(pipe.unet, pipe.vae, pipe.text_encoder, pipe.tokenizer, scheduler)
