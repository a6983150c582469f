"""Weight files a user chooses by name in a node."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

from .. import host
from .catalogue import ModelFile, catalogue
from .find import MissingModel, explain_missing, search_places


def list_files(folder: str, key: str) -> list[str]:
    """The files of a host folder; the published one (by its key) when there are none.

    So a node can always be queued, and a run explains what is missing.
    """
    published = catalogue()[key]
    return host.files.list_models(folder) or [published.inside]


def find_chosen(folder: str, file: str, key: str) -> str:
    """Full path of the chosen file. Raises MissingModel, which tells where to get the published one."""
    path = host.files.find_model(folder, file)
    if path is not None:
        return path
    published = catalogue()[key]
    explained = explain_missing(published, _searched(folder, published))
    # A Windows path on every system: it knows both slashes, and workflows travel.
    if PureWindowsPath(file).name == published.name:
        raise MissingModel(explained)
    there = ", ".join(host.files.list_models(folder)) or "none"
    raise MissingModel(f"{file} is not in models/{folder} (there: {there}). The published file: {explained}")


def _searched(folder: str, published: ModelFile) -> list[Path]:
    """Where the chosen name was looked for, and where the published file would be in the list."""
    folders = [Path(place) for place in host.files.model_folders(folder)]
    return list(dict.fromkeys([*folders, *search_places(published, folders)]))
