"""SMIRK's weights: loading a file once per process."""

from __future__ import annotations

from pathlib import Path

from .. import host
from ..choices.expressions import FOLDER, PUBLISHED
from ..faces.sessions import PROVIDERS, once
from ..weights.chosen import find_chosen
from ..weights.read import read_weights
from .smirk import ExpressionEncoder, build_encoder


def fingerprint(file: str | None) -> str:
    """Changes when the file does, so that the host runs the node again."""
    return host.files.fingerprint(FOLDER, file)


def load(file: str) -> ExpressionEncoder:
    """The encoder in models/smirk/`file`, on the CPU. Raises MissingModel, or ValueError for another file."""
    path = Path(find_chosen(FOLDER, file, PUBLISHED))
    return once("smirk", path, PROVIDERS["CPU"], lambda found, _: open_encoder(found))


def open_encoder(path: Path) -> ExpressionEncoder:
    """The encoder in a file, read anew. Raises ValueError."""
    content, _ = read_weights(str(path))
    return build_encoder(content, path.name)
