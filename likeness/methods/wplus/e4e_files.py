"""The face encoder's file: opened once per process, and run where the host wants it to run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ... import host
from ...adapters.describe import describe
from ...choices.wplus import ENCODER, ENCODERS
from ...faces.sessions import once
from ...weights.chosen import find_chosen
from ...weights.read import read_weights, tensors_under
from .e4e import build

#: Bytes that one picture takes in the network beside its weights: its widest features, a few times.
_WORKING_MEMORY = 256 << 20


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
    """The encoder in a file, opened anew; its decoder is never read. Raises ValueError."""
    with torch.inference_mode(False):  # else what is read could not be moved outside of a node
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
    return FaceEncoder(host.loading.managed_network(build(tensors, average, path.name)), path.name)
