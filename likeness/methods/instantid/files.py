"""InstantID's adapter files: which there are, and loading one once per process."""

from __future__ import annotations

import os
from dataclasses import replace
from weakref import WeakValueDictionary

from ... import host
from ...adapters import Adapter
from ...choices.instantid import FOLDER, PUBLISHED
from ...weights.chosen import find_chosen
from ...weights.read import read_weights
from .adapter import parse

#: Loaded adapters by path, size and time of change: shared while any workflow holds them.
_loaded: WeakValueDictionary[str, Adapter] = WeakValueDictionary()


def fingerprint(file: str | None) -> str:
    """Changes when the file does, so that the host runs the loader again."""
    return host.files.fingerprint(FOLDER, file)


def load(file: str) -> Adapter:
    """The adapter in models/instantid/`file`. Raises MissingModel, or ValueError for another file."""
    path, key = find_chosen(FOLDER, file, PUBLISHED), fingerprint(file)
    adapter = _loaded.get(key)
    if adapter is None:
        adapter = _loaded[key] = replace(parse(*read_weights(path), name=os.path.basename(path)), file=key)
    return adapter
