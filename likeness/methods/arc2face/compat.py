"""What the nodes of ComfyUI-Arc2Face did, out of our own parts: its ways to average faces, its files.

Spec: instantid_arc2face.md 2.1, 2.9.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ... import host
from ...choices.arc2face import AVERAGES, ENCODER, ENCODERS, UNET, UNETS
from ...faces.detect import detect
from ...faces.embed import identify
from ...faces.models import FaceModels
from ...faces.models import fingerprint as face_files
from ...faces.policy import SKIP, apply_policy
from ...values import Identity
from ...weights.catalogue import catalogue
from ...weights.find import MissingModel, how_to_get
from . import files as arc2face_files
from .prompt import RECOGNISER

log = logging.getLogger(__name__)

#: What describes faces unless something is connected.
FACE_PACK = "antelopev2"
#: Where that pack keeps the U-Net and, in a folder of it, the encoder; its face models are in another.
OLD_FOLDER = "arc2face_checkpoints"
_ENCODERS = ("model.safetensors", "pytorch_model.bin")
#: That pack's defaults, and the published files that they mean.
_DEFAULTS = {
    UNETS: "diffusion_pytorch_model.safetensors",
    ENCODERS: "encoder",
}
_KEYS = {UNETS: UNET, ENCODERS: ENCODER}
_PARTS = (0.15, 0.85)  # of the sorted values, between which the trimmed mean lies

Averaging = Callable[[torch.Tensor], torch.Tensor]


def _median(vectors: torch.Tensor) -> torch.Tensor:
    return vectors.median(dim=0).values  # of an even number the lower one, as that pack has it


def _trimmed(vectors: torch.Tensor) -> torch.Tensor:
    low, high = (int(part * len(vectors)) for part in _PARTS)
    return vectors.sort(dim=0).values[low : max(high, low + 1)].mean(dim=0)


def _three(vectors: torch.Tensor) -> torch.Tensor:
    return torch.stack([vectors.mean(dim=0), _median(vectors), _trimmed(vectors)])


def _modes(vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(the values to two decimals, the most frequent of each column)."""
    rounded = (vectors * 100).round() / 100
    return rounded, rounded.mode(dim=0).values


def _mean_of_mode(vectors: torch.Tensor) -> torch.Tensor:
    rounded, mode = _modes(vectors)
    there = rounded == mode
    return (vectors * there).sum(dim=0) / there.sum(dim=0)


def _random(vectors: torch.Tensor) -> torch.Tensor:
    # Always the same draw: that pack took the process's own random numbers.
    generator = torch.Generator().manual_seed(0)
    places = torch.randint(len(vectors), (1, vectors.shape[1]), generator=generator)
    return vectors.gather(0, places)[0]


#: Raw vectors [N, 512] of the faces -> [512].
_AVERAGES: dict[str, Averaging] = {
    "average": lambda vectors: vectors.mean(dim=0),
    "median": _median,
    "trimmed_mean": _trimmed,
    "ensemble_average": lambda vectors: _three(vectors).mean(dim=0),
    "ensemble_median": lambda vectors: _median(_three(vectors)),
    "max_pooling": lambda vectors: vectors.amax(dim=0),
    "min_pooling": lambda vectors: vectors.amin(dim=0),
    "rounded_mode": lambda vectors: _modes(vectors)[1],
    "rounded_mode_averaging": _mean_of_mode,
    "random_sampling": _random,
}


def average(vectors: torch.Tensor, method: str, n_outliers: int = 0) -> torch.Tensor:
    """One vector [512] out of raw ones [N, 512], those furthest from their mean left out.

    n_outliers counts only when it leaves somebody. Raises ValueError for an unknown method.
    """
    if method not in AVERAGES:
        raise ValueError(f"average_method must be one of {', '.join(AVERAGES)}, not {method!r}.")
    if 0 < n_outliers < len(vectors):
        distance = (vectors - vectors.mean(dim=0)).norm(dim=1)
        kept = distance.argsort(stable=True, descending=True)[n_outliers:].sort().values
        vectors = vectors[kept]
    return _AVERAGES[method](vectors)


def extract(images: torch.Tensor, method: str, n_outliers: int, models: FaceModels | None = None) -> Identity:
    """Who ALL the faces of a batch show together. Raises ValueError when there is none, MissingModel.

    models: what finds and describes the faces, else antelopev2 on the CPU.
    """
    models = models or FaceModels.open(FACE_PACK, "CPU")
    faces = apply_policy(detect(models, images), SKIP, "")
    if not faces.faces:
        raise ValueError(
            "No face in images. Use pictures with faces that are turned upright, with some space around them."
        )
    identity = identify(models, faces, RECOGNISER, "none")
    vector = average(identity.embeddings, method, n_outliers)
    return Identity(vector[None], RECOGNISER, source=f"{identity.source}; {method}")


def faces_fingerprint() -> str:
    """Changes when one of the files does that `extract` looks through."""
    return face_files(FACE_PACK)


def load(folder: str, input_id: str, name: str) -> Any:
    """The MODEL of UNETS, the CLIP of ENCODERS, out of a file in that pack's folder or ours.

    name: of a file, or of a folder with an encoder. Raises MissingModel, ValueError for another file.
    """
    opened = arc2face_files.load_unet if folder == UNETS else arc2face_files.load_encoder
    return opened(_find(folder, input_id, name), name)


def fingerprint(folder: str, name: str | None) -> str:
    """Changes when the file does, wherever it is."""
    places = [] if name is None else _places(folder, name)
    return "; ".join(host.files.fingerprint(*place) for place in places)


def _places(folder: str, name: str) -> list[tuple[str, str]]:
    """Where a file of `folder` may lie, the first choice first: (folder of models, file in it)."""
    if folder == UNETS:
        return [(OLD_FOLDER, name), (folder, f"arc2face/{name}"), (folder, name)]
    inside = [(OLD_FOLDER, f"{name}/{file}") for file in _ENCODERS]
    # What that pack calls `encoder`, our installer puts elsewhere. Any other name means that file alone.
    ours = [(folder, f"arc2face/{file}") for file in _ENCODERS if name == _DEFAULTS[folder]]
    return [*inside, (OLD_FOLDER, name), (folder, name), *ours]


def _find(folder: str, input_id: str, name: str) -> str:
    """The first file that is there. Raises MissingModel."""
    places = _places(folder, name)
    for place in places:
        if path := host.files.find_model(*place):
            if place[0] != OLD_FOLDER:
                log.info("Arc2Face: %s %r is not in models/%s: taking %s.", input_id, name, OLD_FOLDER, path)
            return path
    files = (f"{top}/{file}" for kind, file in places for top in host.files.model_folders(kind))
    searched = dict.fromkeys(str(Path(os.path.dirname(file))) for file in files)
    raise MissingModel(
        f"{input_id} {name!r} is in none of {'; '.join(searched)}. The published file is found by "
        f"{_DEFAULTS[folder]!r}. {how_to_get(catalogue()[_KEYS[folder]])}"
    )
