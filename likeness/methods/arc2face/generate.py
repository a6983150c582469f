"""Arc2Face from an identity to pictures in one go, as the generators of ComfyUI-Arc2Face have it.

The sampler is the authors': DPM-Solver++ of second order. Spec: instantid_arc2face.md 2.2 to 2.4.
"""

from __future__ import annotations

import logging
import os
import random
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PureWindowsPath
from typing import Any
from weakref import WeakKeyDictionary

import torch

from ... import host
from ...choices.arc2face import NEGATIVE
from ...values import Identity
from ...weights.catalogue import catalogue
from ...weights.find import MissingModel, explain_missing
from .prompt import encode

log = logging.getLogger(__name__)

SAMPLER, SCHEDULER = "dpmpp_2m", "sgm_uniform"
_PIXELS_PER_LATENT = 8
_VAE = "sd15/checkpoint"
#: SD1.x alone has its text encoder and its VAE under these names in one checkpoint.
_SIGNS = ("cond_stage_model.transformer.", "first_stage_model.")

#: U-Net -> (fingerprint, VAE). Nothing else holds the VAE, and every run would read it anew. It goes when
#: the host lets go of the U-Net that it was found for: with another graph, or "Free model and node cache".
_VAES: WeakKeyDictionary[Any, tuple[str, Any]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Settings:
    """seed -1 draws one. extra: words after Arc2Face's own prompt, which it was not trained with."""

    steps: int = 30
    cfg: float = 2.7
    count: int = 1
    seed: int = -1
    negative: str = NEGATIVE
    extra: str = ""


def generate(
    model: Any,
    clip: Any,
    identity: Identity,
    settings: Settings,
    latent: torch.Tensor,
    vae: Any,
    denoise: float = 1.0,
) -> torch.Tensor:
    """settings.count pictures [B, H, W, 3] for each latent [B, 4, h, w], of which `denoise` is drawn anew.

    As in diffusers: of the steps only the last part is run, and guidance below 1 is none. Raises
    ValueError for an identity or a clip that does not fit, and when no step is left.
    """
    run = min(int(settings.steps * denoise), settings.steps)
    if run < 1:
        raise ValueError(
            f"denoise_strength {denoise} of {settings.steps} steps leaves none to run. Raise one of them."
        )
    positive, negative = encode(clip, identity, settings.extra, settings.negative)
    seed = settings.seed
    if seed < 0:
        seed = random.SystemRandom().randrange(2**32)
        log.info("Arc2Face: the seed drawn is %d.", seed)
    drawn = host.sampling.sample(
        model,
        positive,
        negative,
        latent.repeat_interleave(settings.count, dim=0),
        seed=seed,
        steps=settings.steps,
        cfg=max(1.0, settings.cfg),
        sampler=SAMPLER,
        scheduler=SCHEDULER,
        start_step=settings.steps - run,
    )
    pictures: torch.Tensor = vae.decode(drawn)
    return pictures


def empty(width: int, height: int) -> torch.Tensor:
    """The latent of a picture to be."""
    return torch.zeros(1, 4, height // _PIXELS_PER_LATENT, width // _PIXELS_PER_LATENT)


def encoded(vae: Any, image: torch.Tensor) -> torch.Tensor:
    """The latents of pictures [B, H, W, C]."""
    latent: torch.Tensor = vae.encode(image[..., :3])
    return latent


def sd15_vae(model: Any) -> Any:
    """The VAE of an SD1.5 checkpoint: the published one, else the first there is, which is logged.

    It is kept as long as MODEL's network is. Raises MissingModel when there is none.
    """
    found = _sd15_checkpoint()
    if found is not None:
        name, path = found
        log.info("Arc2Face: the VAE is that of the checkpoint %s.", name)
        return _vae(model, path, host.files.fingerprint("checkpoints", name))
    missing = explain_missing(catalogue()[_VAE], [Path(p) for p in host.files.model_folders("checkpoints")])
    raise MissingModel(f"Arc2Face needs the VAE of SD1.5, and vae is not connected. {missing}")


def vae_fingerprint() -> str:
    """Changes when another checkpoint than before is the one for `sd15_vae`, or its file is replaced."""
    found = _sd15_checkpoint()
    return "missing" if found is None else host.files.fingerprint("checkpoints", found[0])


def _sd15_checkpoint() -> tuple[str, str] | None:
    """(name, path) of the published SD1.5 checkpoint, else of the first there is, or None."""
    published = catalogue()[_VAE].name
    names = host.files.list_models("checkpoints")
    for name in sorted(names, key=lambda name: (PureWindowsPath(name).name != published, name)):
        path = host.files.find_model("checkpoints", name)
        if path and name.endswith(".safetensors"):
            stat = os.stat(path)
            if _is_sd15(path, stat.st_size, stat.st_mtime_ns):
                return name, path
    return None


def _vae(model: Any, path: str, fingerprint: str) -> Any:
    held = _VAES.get(model.model)
    if held is None or held[0] != fingerprint:  # it names the file, and a changed file is another
        held = _VAES[model.model] = (fingerprint, host.loading.load_vae(path))
    return held[1]


@lru_cache(maxsize=1024)
def _is_sd15(path: str, size: int, changed: int) -> bool:
    """By the names in its head, which is read again only when size or time of change are others."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
    except SafetensorError:
        return False  # cut short, or a picture: not this function's business
    return all(any(name.startswith(sign) for name in names) for sign in _SIGNS)
