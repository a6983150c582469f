"""The face parser's weights: loading a file once per process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .. import host
from ..choices.faces import PARSER, PARSERS
from ..weights.chosen import find_chosen
from ..weights.read import read_weights
from .parser_weights import build_network
from .parsing import SIZE, label
from .sessions import once

#: Bytes that one picture of 512 x 512 takes in the network beside its weights: 34 MB of features (measured),
#: the rest for what convolutions take for themselves.
_WORKING_MEMORY = 128 << 20


@dataclass(frozen=True, eq=False)
class FaceParser:
    """A loaded face parser. The host moves it to the GPU, and off again when it needs the room."""

    patcher: Any
    name: str

    def ready(self, side: int = SIZE) -> Callable[[torch.Tensor], torch.Tensor]:
        """The network, loaded: pictures [n, 3, 512, 512] float32, normalised -> classes [n, 512, 512] uint8.

        Pictures come from the CPU, and classes go there. side: in place of 512, which sets the memory.
        """
        memory = _WORKING_MEMORY * side * side // (SIZE * SIZE)
        network, device = host.loading.run_network(self.patcher, memory)
        return lambda pictures: label(network, pictures.to(device)).cpu()

    def __repr__(self) -> str:
        return f"FaceParser({self.name})"


def fingerprint(file: str | None) -> str:
    """Changes when the file does, so that the host runs the node again."""
    return host.files.fingerprint(PARSERS, file)


def load(file: str) -> FaceParser:
    """The parser in models/face_parsing/`file`. Raises MissingModel, or ValueError for another file."""
    path = Path(find_chosen(PARSERS, file, PARSER))
    return once("face_parser", path, "host", lambda found, _: open_parser(found))


def open_parser(path: Path) -> FaceParser:
    """The parser in a file, read anew. Raises ValueError."""
    content: Mapping[str, Any]
    content, _ = read_weights(str(path))
    return FaceParser(host.loading.managed_network(build_network(content, path.name)), path.name)
