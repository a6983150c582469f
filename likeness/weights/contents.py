"""Which published file a file is, by its content: different networks share a name, even a size."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from .catalogue import ModelFile
from .examine import sha256

Name = TypeVar("Name")


def name_by_content(path: Path, known: Mapping[Name, ModelFile]) -> Name | None:
    """The one of these that the file at `path` is, or None for a stranger or no file.

    The size comes first: it tells most apart at no cost. A sum is taken once for a path, size and time of
    change. Where no sum was published, the size has to do.
    """
    if not path.is_file():
        return None
    stat = path.stat()
    for name, file in known.items():
        if file.size != stat.st_size:
            continue
        if file.sha256 is None or file.sha256 == _sum(path, stat.st_size, stat.st_mtime_ns):
            return name
    return None


@lru_cache(maxsize=64)
def _sum(path: Path, size: int, changed: int) -> str:
    return sha256(path)
