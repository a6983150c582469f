"""Attribute files found by name, and written under the next number. Spec: conditioning.md 1.2."""

from __future__ import annotations

from pathlib import Path

from ... import host
from ...choices.attributes import BUILT_IN, FOLDER, named, path_of
from ...weights.read import read_weights
from ...weights.write import write_numbered
from .value import Attribute
from .write import ENCODERS, FORMAT, write


def load(file: str, name: str) -> Attribute:
    """One attribute of a choice of Load Attribute.

    Raises FileNotFoundError with the folders searched, ValueError for another file or a name not in it.
    """
    path = path_of(file)
    if path is None:
        raise FileNotFoundError(
            f"There is no attribute file {file!r} in {'; '.join(host.files.model_folders(FOLDER))}. Choose "
            f"{BUILT_IN!r}, or make one with Save Attribute and refresh the list with R."
        )
    content, metadata = read_weights(str(path))
    names, kind = named(list(content)), metadata.get("format")
    if kind != FORMAT or not names:
        found = f"; its format is {kind}" if kind else ""
        raise ValueError(
            f"{path.name} is no attribute file ({FORMAT}{found}). Load Attribute reads what Save Attribute "
            "and the trainer of attributes write."
        )
    if name not in names:
        raise ValueError(f"attribute {name!r} is not in {file}. It holds: {', '.join(names)}.")
    vectors = [content.get(f"{name}.{encoder}") for encoder in ENCODERS]
    parts = (metadata.get("source", ""), metadata.get("licence", ""), metadata.get("copyright", ""))
    try:
        return Attribute(
            name,
            vectors[0],
            vectors[1],
            metadata.get("kind", "learned"),
            metadata.get("base_model", ""),
            "; ".join(part for part in parts if part),
        )
    except ValueError as error:
        raise ValueError(f"{path.name} can't be used: {error}") from error


def save(attribute: Attribute, filename_prefix: str) -> Path:
    """Write an attribute under the next free number of the host's first folder of them, and say where.

    Raises ValueError for a prefix that is empty, leads out or is no file name.
    """

    def put(path: Path) -> None:
        write(path, attribute.name, attribute.vectors, attribute.kind, attribute.base, attribute.source)

    directory = host.files.model_folders(FOLDER)[0]
    return write_numbered(directory, filename_prefix, "attribute", put)
