"""Is a model file the one that was published? By size and sum; where those are unknown, by its own end."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .catalogue import ModelFile

OK, DAMAGED, UNKNOWN = "ok", "damaged", "unknown"
_CHUNK = 1 << 20
#: safetensors allows no longer header.
_LONGEST_HEADER = 100_000_000


@dataclass(frozen=True)
class Finding:
    """state is OK, DAMAGED or UNKNOWN; reason goes on after the file's name: `has 7 bytes, expected 10`."""

    state: str
    reason: str


def examine(path: Path, file: ModelFile) -> Finding:
    """Compare the file at `path` with what the catalogue knows. Reads all of it if a sum is known."""
    try:
        return _compare(path, file)
    except OSError as error:
        return Finding(DAMAGED, f"can't be read: {error}")


def _compare(path: Path, file: ModelFile) -> Finding:
    size = path.stat().st_size
    stranger = _stranger(path)
    if stranger:
        return Finding(DAMAGED, stranger)
    if file.size is not None and size != file.size:
        return Finding(DAMAGED, f"has {size} bytes, expected {file.size}")
    if file.sha256 is not None:
        digest = sha256(path)
        if digest != file.sha256:
            return Finding(DAMAGED, f"has the sum {digest}, expected {file.sha256}")
        return Finding(OK, "size and sum are the published ones")
    if not _ends_where_it_says(path, size, Path(file.name).suffix):
        return Finding(DAMAGED, f"ends too early ({size} bytes): the download is incomplete")
    known = f"has {size} bytes as it should, but its sum is not known"
    return Finding(
        UNKNOWN, known if file.size is not None else f"has {size} bytes; size and sum are not known"
    )


def _stranger(path: Path) -> str:
    """What was saved in place of a file, or nothing."""
    with path.open("rb") as content:
        begin = content.read(64).lstrip().lower()
    if not begin:
        return "is empty"
    if begin.startswith((b"<!doctype html", b"<html")):
        return "is a web page, not a model file"
    if begin.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the file itself"
    return ""


def _ends_where_it_says(path: Path, size: int, ending: str) -> bool:
    """False for a safetensors or zipped torch file that was cut off. Other kinds do not tell."""
    with path.open("rb") as content:
        begin = content.read(8)
        if ending == ".safetensors":
            length = struct.unpack("<Q", begin)[0] if len(begin) == 8 else size
            if not 2 <= length <= min(size - 8, _LONGEST_HEADER):
                return False
            try:
                header = json.loads(content.read(length))
            except ValueError:
                return False
            ends = [value["data_offsets"][1] for key, value in header.items() if key != "__metadata__"]
            return size == 8 + length + max(ends, default=0)
    return not begin.startswith(b"PK") or zipfile.is_zipfile(path)


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
