"""Every model file the pack knows, out of catalogue.toml. Standard library only: install.py uses it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

#: The folder of files that come with the pack itself.
BUNDLED = "embedded"


@dataclass(frozen=True)
class ModelFile:
    """One model file.

    folder is a model folder of the host ("insightface", "controlnet"), or "embedded" for the files
    committed with the pack; subpath is where in it. size (bytes) and sha256 are None when unknown.
    also: other places in such a folder where people and other installers put it. url is a direct address,
    or None for a file that is made: then made_from names the package; or that nobody offers at an address:
    by_hand. member is the file's name inside the archive that url points to, whose own size and sum are
    archive_size and archive_sha256.
    """

    key: str
    name: str
    folder: str
    licence: str
    source: str
    methods: tuple[str, ...]
    subpath: str = ""
    also: tuple[str, ...] = ()
    size: int | None = None
    sha256: str | None = None
    url: str | None = None
    member: str | None = None
    archive_size: int | None = None
    archive_sha256: str | None = None
    made_from: str | None = None
    by_hand: bool = False
    note: str = ""

    @property
    def bundled(self) -> bool:
        return self.folder == BUNDLED

    @property
    def inside(self) -> str:
        """Where the file belongs, seen from a folder of its kind: `models/antelopev2/x.onnx`."""
        return "/".join(part for part in (self.subpath, self.name) if part)

    @property
    def place(self) -> str:
        """Where the file belongs, seen from the models folder: `insightface/models/antelopev2/x.onnx`."""
        return f"{self.folder}/{self.inside}"

    @property
    def size_text(self) -> str:
        return "size unknown" if self.size is None else readable_size(self.size)


@dataclass(frozen=True)
class FacePack:
    """A detector, the recognisers that go with it and the mesh, by their keys in the catalogue."""

    name: str
    detector: str
    recognisers: Mapping[str, str]
    mesh: str


def readable_size(size: int) -> str:
    """Bytes in the unit a download dialogue would show: `6.94 GB`, `233 kB`."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size} bytes"


def readable_time(seconds: float) -> str:
    """`48 s`, `3 min 20 s`, `2 h 5 min`."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def total_size(files: Sequence[ModelFile]) -> str:
    """What they weigh together; how many are not counted, for want of a size, is said."""
    known = sum(file.size or 0 for file in files)
    unknown = sum(file.size is None for file in files)
    parts = [readable_size(known)] if known or not unknown else []
    parts += [f"{unknown} of unknown size"] if unknown else []
    return " and ".join(parts)


@lru_cache(maxsize=1)
def _document() -> dict[str, Any]:
    text = Path(__file__).with_name("catalogue.toml").read_text(encoding="utf-8")
    document: dict[str, Any] = _toml_reader().loads(text)
    return document


def _toml_reader() -> Any:
    """tomllib of Python 3.11, else the package it came from, else pip's own copy of that package."""
    for name in ("tomllib", "tomli", "pip._vendor.tomli"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise ModuleNotFoundError("Reading the model catalogue on Python 3.10 needs: pip install tomli")


def catalogue() -> dict[str, ModelFile]:
    """Every model file by key, in the order of the catalogue."""
    return dict(_files())


@lru_cache(maxsize=1)
def _files() -> dict[str, ModelFile]:
    files = {}
    for entry in _document()["file"]:
        lists = {name: tuple(entry.get(name, ())) for name in ("methods", "also")}
        files[entry["key"]] = ModelFile(**{**entry, **lists})
    return files


def face_packs() -> dict[str, FacePack]:
    """The face packs by name."""
    return {name: FacePack(name=name, **entry) for name, entry in _document()["face_pack"].items()}


def files_of(method: str) -> list[ModelFile]:
    """What a method needs beside the files that come with the pack. Raises KeyError naming all methods."""
    files = [file for file in catalogue().values() if method in file.methods and not file.bundled]
    if not files:
        raise KeyError(f"No method is called {method!r}. There are: {', '.join(methods())}.")
    return files


def methods() -> list[str]:
    """Names of the methods, in the order of the catalogue."""
    return list(dict.fromkeys(name for file in catalogue().values() for name in file.methods))
