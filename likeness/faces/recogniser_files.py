"""Which recogniser a file holds. Its name does not say: AuraFace's file is called glintr100.onnx, too."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path

from ..weights.catalogue import ModelFile, catalogue, face_packs
from ..weights.contents import name_by_content

log = logging.getLogger(__name__)


def recogniser_files() -> dict[str, ModelFile]:
    """The published file of every recogniser of our face packs."""
    files = catalogue()
    return {name: files[key] for pack in face_packs().values() for name, key in pack.recognisers.items()}


def recogniser_in(path: Path) -> str | None:
    """The recogniser whose published file this is; None for a file that we do not know. Reads it once."""
    return name_by_content(path, recogniser_files())


def believe(path: Path, name: str) -> None:
    """Say, once for a file, that it is taken for a recogniser on the word of its name alone."""
    if path.is_file():
        _say_once(path, name, path.stat().st_size)


@lru_cache(maxsize=64)
def _say_once(path: Path, name: str, size: int) -> None:
    log.warning(
        "%s (%d bytes) is not the published file of the recogniser %s: it is taken for it by its name. "
        "python install.py --check compares sizes and sums.",
        path,
        size,
        name,
    )
