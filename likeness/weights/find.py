"""Where a model file lies, by its NAME: neighbours in the same folder are never looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .catalogue import ModelFile, catalogue

_BUNDLED_FOLDER = Path(__file__).resolve().parents[2] / "models" / "embedded"


class MissingModel(FileNotFoundError):
    """A model file is not there. The message says what, where it was looked for and how to get it."""


def find_file(key: str, folders: Sequence[str | Path] | None = None) -> Path:
    """The path of a catalogued file. Raises MissingModel; KeyError for an unknown key.

    folders: searched instead of the host's folders of the file's kind (each one stands for
    `models/insightface`, `models/instantid`, ...). Files that come with the pack are found without.
    """
    file = catalogue()[key]
    places = search_places(file, folders)
    for place in places:
        candidate = place / file.name
        if candidate.is_file():
            return candidate
    raise MissingModel(explain_missing(file, places))


def search_places(file: ModelFile, folders: Sequence[str | Path] | None = None) -> list[Path]:
    """Every folder in which the file would be found, in order and without repeats."""
    if file.bundled:
        return [_BUNDLED_FOLDER]
    if folders is None:
        from .. import host

        folders = host.model_folders(file.folder)
    places: list[Path] = []
    for folder in folders:
        places += _inside(Path(folder), file.subpath)
    return list(dict.fromkeys(places))


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
    """Size, licence, source and the command."""
    command = f"Fetch it with: python install.py --models {file.methods[0]}"
    return (
        f"Size: {file.size_text}. Licence: {file.licence}. From: {file.source}. "
        f"{'It has to be put there by hand.' if file.by_hand else command}"
    )
