"""InstantID's adapter files: which there are, and loading one once per process."""

from __future__ import annotations

import os
from pathlib import Path
from weakref import WeakValueDictionary

from .. import host
from ..weights.catalogue import catalogue
from ..weights.find import MissingModel, explain_missing
from ..weights.read import read_weights
from .instantid import InstantID, parse

FOLDER = "instantid"

#: Loaded adapters by (path, size, time of change): shared while any workflow holds them.
_loaded: WeakValueDictionary[tuple[str, int, int], InstantID] = WeakValueDictionary()


def list_files() -> list[str]:
    """The files there are; the published name when there are none, so that a run can explain itself."""
    return host.list_models(FOLDER) or [catalogue()["instantid/ip-adapter"].name]


def fingerprint(file: str | None) -> str:
    """Changes when the file does, so that the host runs the loader again."""
    path = host.find_model(FOLDER, file) if file else None
    return str(_key(path)) if path else "missing"


def load(file: str) -> InstantID:
    """The adapter in models/instantid/`file`. Raises MissingModel, or ValueError for another file."""
    path = host.find_model(FOLDER, file)
    if path is None:
        raise MissingModel(_missing(file))
    key = _key(path)
    adapter = _loaded.get(key)
    if adapter is None:
        adapter = parse(*read_weights(path), name=os.path.basename(path))
        _loaded[key] = adapter
    return adapter


def _missing(file: str) -> str:
    published = catalogue()["instantid/ip-adapter"]
    explained = explain_missing(published, [Path(folder) for folder in host.model_folders(FOLDER)])
    if file == published.name:
        return explained
    there = ", ".join(host.list_models(FOLDER)) or "none"
    return f"file {file} is not in models/instantid (there: {there}). The published adapter: {explained}"


def _key(path: str) -> tuple[str, int, int]:
    facts = os.stat(path)
    return path, facts.st_size, facts.st_mtime_ns
