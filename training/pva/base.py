"""The Stable Diffusion inpainting model that PVA is trained on, out of a diffusers folder or one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..reading import read_parts
from ..unets import check_and_freeze

_CHANNELS = 9


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
        model = InpaintingModel(**read_parts(where))
    elif path.is_file():
        model = _from_file(where, config)
    elif path.suffix in (".safetensors", ".ckpt") or path.is_absolute() or where.startswith("."):
        raise ValueError(f"--base {where} is not there.")
    else:
        model = InpaintingModel(**read_parts(where, local=False))
    frozen = model.vae, model.text_encoder
    example = "Stable Diffusion 2 inpainting, PVA's"
    check_and_freeze(where, model.unet, model.scheduler, frozen, _CHANNELS, "inpainting", example)
    return model


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
