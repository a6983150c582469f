"""TransFace's file: loading it once per process, and running it where the host wants it to run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ... import host
from ...choices.fact import ENCODER, FOLDER
from ...faces.sessions import once
from ...weights.chosen import find_chosen
from ...weights.read import read_weights
from .adapter import ENCODER as KIND
from .transface import build

#: Bytes that one face takes in the network beside its weights: its widest features, a few times.
_WORKING_MEMORY = 8 << 20


@dataclass(frozen=True, eq=False)
class Encoder:
    """A loaded TransFace. The host moves it to the GPU, and off again when it needs the room."""

    patcher: Any
    name: str
    kind: str = KIND

    @torch.no_grad()
    def __call__(self, faces: torch.Tensor) -> torch.Tensor:
        """Faces [R, 3, 112, 112] float32, RGB from -1 to 1 -> local tokens [R, 144, 512]; all on the CPU."""
        network, device = host.loading.run_network(self.patcher, len(faces) * _WORKING_MEMORY)
        local: torch.Tensor = network(faces.to(device)).cpu()
        return local

    def __repr__(self) -> str:
        return f"TransFace({self.name})"


def fingerprint(file: str | None) -> str:
    """Changes when the file does, so that the host runs the node again."""
    return host.files.fingerprint(FOLDER, file)


def load(file: str) -> Encoder:
    """The network in models/fact/`file`. Raises MissingModel, or ValueError for another file."""
    path = Path(find_chosen(FOLDER, file, ENCODER))
    return once("transface", path, "host", lambda found, _: open_encoder(found))


def open_encoder(path: Path) -> Encoder:
    """The network in a file, read anew. Raises ValueError."""
    network = build(*read_weights(str(path)), path.name)
    return Encoder(host.loading.managed_network(network), path.name)
