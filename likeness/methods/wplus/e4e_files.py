"""The face encoder's file: opened once per process, and run where the host wants it to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ... import host
from ...adapters.describe import describe
from ...choices.wplus import ENCODER, ENCODERS
from ...faces.sessions import once
from ...weights import kept
from ...weights.chosen import find_chosen
from ...weights.read import read_weights, tensors_under
from .e4e import E4E, build

#: Bytes that one picture takes in the network beside its weights: its widest features, a few times.
_WORKING_MEMORY = 256 << 20
#: Endings of files that are mapped as they are; and what is kept of others.
_READY, PART = (".safetensors", ".sft"), "encoder"


@dataclass(frozen=True, eq=False)
class FaceEncoder:
    """A loaded e4e. The host moves it to the GPU, and off again when it needs the room."""

    patcher: Any
    name: str

    @torch.no_grad()
    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures [n, 3, 256, 256] float32, RGB from -1 to 1 -> codes [n, 18, 512]; all on the CPU."""
        network, device = host.loading.run_network(self.patcher, _WORKING_MEMORY)
        return torch.cat([network(picture.to(device)).cpu() for picture in pictures.split(1)])

    def __repr__(self) -> str:
        return f"FaceEncoder({self.name})"


def fingerprint(file: str | None) -> str:
    """Changes when the file does, so that the host runs the node again."""
    return host.files.fingerprint(ENCODERS, file)


def load(file: str) -> FaceEncoder:
    """The encoder in models/e4e/`file`. Raises MissingModel, or ValueError for another file."""
    path = Path(find_chosen(ENCODERS, file, ENCODER))
    return once("e4e", path, "host", lambda found, _: open_encoder(found))


def open_encoder(path: Path) -> FaceEncoder:
    """The encoder in a file, opened anew; its decoder is never read. Raises ValueError.

    Of a pickled file the encoder is kept as safetensors beside it, and read from there the next time.
    """
    with torch.inference_mode(False):  # else what is read could not be moved outside of a node
        network = _kept_network(path) if path.suffix.lower() not in _READY else _network(path)
    return FaceEncoder(host.loading.managed_network(network), path.name)


def _network(path: Path) -> E4E:
    return build(*_parts(path), path.name)


def _kept_network(path: Path) -> E4E:
    """The network of a pickled file's copy, which is made where it lacks; else of the file itself."""
    found = kept.read_copy(path, PART)
    if found is not None:
        return _of_copy(found, path)
    made_from = kept.stamp(path)
    tensors, average = _parts(path)
    network = build(tensors, average, path.name)
    if not kept.keep(_flat(tensors, average), path, PART, made_from):
        return network
    # Of the two, the copy is mapped whatever the file was; so its numbers leave the memory here.
    found = kept.read_copy(path, PART)
    return network if found is None else _of_copy(found, path)


def _of_copy(content: Mapping[str, torch.Tensor], path: Path) -> E4E:
    name = kept.copy_of(path, PART).name
    return build(tensors_under(content, "encoder"), content["latent_avg"], name)


def _flat(tensors: Mapping[str, torch.Tensor], average: torch.Tensor) -> dict[str, torch.Tensor]:
    return {**{f"encoder.{key}": value for key, value in tensors.items()}, "latent_avg": average}


def _parts(path: Path) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """(the encoder's tensors, the average face) of a file. Raises ValueError."""
    content, _ = read_weights(str(path), whole=True)
    inside: Any = content.get("state_dict", content)
    tensors = tensors_under(inside, "encoder")
    average = content.get("latent_avg")
    if not tensors:
        raise ValueError(f"{path.name} is no face encoder (e4e) but {describe(inside)}.")
    if not isinstance(average, torch.Tensor):
        raise ValueError(
            f"{path.name} lacks latent_avg, the average face: use the published e4e_ffhq_encode.pt."
        )
    return tensors, average
