"""What the judges saw, kept by the pictures' content: a run that goes on does not look twice."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from .judges import Judges, Seen
from .people import photo

_VECTORS = "vectors_"
_ARRAYS = ("boxes", "ratios", "shares", "sharpness")


class Looks:
    """folder: where it is kept."""

    def __init__(self, judges: Judges, folder: Path) -> None:
        self.judges, self._folder, self._version = judges, folder, judges.version

    def look(self, path: Path) -> Seen:
        """At a picture's file. Raises ValueError for what is no picture."""
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:32]
        file = self._folder / f"{digest}-{self._version}.npz"
        if not file.is_file():
            _keep(self.judges.look(photo(path)), file)
        with np.load(file, allow_pickle=False) as kept:
            vectors = {name: kept[_VECTORS + name] for name in self.judges.names}
            arrays = {name: kept[name] for name in _ARRAYS}
            return Seen(int(kept["count"]), int(kept["width"]), vectors=vectors, **arrays)


def _keep(seen: Seen, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")
    with part.open("wb") as written:
        arrays: dict[str, Any] = {_VECTORS + name: vectors for name, vectors in seen.vectors.items()}
        arrays |= {name: getattr(seen, name) for name in _ARRAYS}
        np.savez(written, count=seen.count, width=seen.width, **arrays)
    os.replace(part, file)
