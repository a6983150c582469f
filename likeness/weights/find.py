"""Where a model file lies, by its NAME: neighbours in the same folder are never looked at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from .catalogue import ModelFile, catalogue

#: As the host sees it: where it is a link, install.py finds the host from the link's place only.
PACK_FOLDER = Path(__file__).absolute().parents[2]
_BUNDLED_FOLDER = PACK_FOLDER / "models" / "embedded"


class MissingModel(FileNotFoundError):
    """A model file is not there. The message says what, where it was looked for and how to get it."""


def find_file(key: str, folders: Sequence[str | Path] | None = None) -> Path:
    """The path of a catalogued file. Raises MissingModel; KeyError for an unknown key.

    folders: searched instead of the host's folders of the file's kind (each one stands for
    `models/insightface`, `models/instantid`, ...). Files that come with the pack are found without.
    """
    file = catalogue()[key]
    found = find_copies(file, folders)
    if not found:
        raise MissingModel(explain_missing(file, search_places(file, folders)))
    return found[0]


def find_copies(file: ModelFile, folders: Sequence[str | Path] | None = None) -> list[Path]:
    """Every place where the file lies, the one that is used first. folders: as in find_file."""
    candidates = (place / file.name for place in search_places(file, folders))
    return [path for path in candidates if path.is_file()]


def search_places(file: ModelFile, folders: Sequence[str | Path] | None = None) -> list[Path]:
    """Every folder in which the file would be found, in order and without repeats."""
    if file.bundled:
        return [_BUNDLED_FOLDER]
    if folders is None:
        from .. import host

        folders = host.files.model_folders(file.folder)
    places: list[Path] = []
    for folder in folders:
        places += _inside(Path(folder), file.subpath)
        places += [Path(os.path.normpath(Path(folder, place))) for place in file.also]
    return list(dict.fromkeys(places))


def fingerprint(*keys: str, folders: Sequence[str | Path] | None = None) -> str:
    """Changes when one of these catalogued files does, or comes, or goes. folders: as in find_file."""
    copies = (path for key in keys for path in find_copies(catalogue()[key], folders))
    stats = ((path, path.stat()) for path in copies)
    return "; ".join(f"{path} {stat.st_size} {stat.st_mtime_ns}" for path, stat in stats)


def _inside(folder: Path, subpath: str) -> list[Path]:
    """The catalogue's place, the same nested once more, and the short form without the middle.

    The official antelopev2.zip holds a folder antelopev2, so unpacking it in place nests; and
    extra_model_paths.yaml may point at the folder above or at the folder `models` itself.
    """
    if not subpath:
        return [folder]
    last = subpath.rsplit("/", 1)[-1]
    return [folder / subpath, folder / subpath / last, folder / last, folder / last / last]


def explain_missing(file: ModelFile, places: Sequence[Path]) -> str:
    """One paragraph: the file, the folders searched, size, licence, source and the command."""
    searched = "; ".join(str(place) for place in places)
    if file.bundled:
        return f"{file.name} comes with the pack but is not in {searched}. Get a complete copy of the pack."
    return f"{file.name} is missing. Searched: {searched}. {how_to_get(file)}"


def how_to_get(file: ModelFile) -> str:
    """Size, licence, source and the command with the folder it is for."""
    command = f"Fetch it with: python install.py --models {file.methods[0]} (in {PACK_FOLDER})"
    return (
        f"Size: {file.size_text}. Licence: {file.licence}. From: {file.source}. "
        f"{'It has to be put there by hand.' if file.by_hand else command}"
    )
