"""Weight files a user chooses by name in a node."""

from __future__ import annotations

from pathlib import Path

from .. import host
from .catalogue import catalogue
from .find import MissingModel, explain_missing


def list_files(folder: str, key: str) -> list[str]:
    """The files of a host folder; the published one (by its key) when there are none.

    So a node can always be queued, and a run explains what is missing.
    """
    published = catalogue()[key]
    return host.files.list_models(folder) or [
        "/".join(part for part in (published.subpath, published.name) if part)
    ]


def find_chosen(folder: str, file: str, key: str) -> str:
    """Full path of the chosen file. Raises MissingModel, which tells where to get the published one."""
    path = host.files.find_model(folder, file)
    if path is not None:
        return path
    published = catalogue()[key]
    explained = explain_missing(published, [Path(folder) for folder in host.files.model_folders(folder)])
    if Path(file).name == published.name:
        raise MissingModel(explained)
    there = ", ".join(host.files.list_models(folder)) or "none"
    raise MissingModel(f"{file} is not in models/{folder} (there: {there}). The published file: {explained}")
