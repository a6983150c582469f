"""The list of model files as a page of the running host, with the command for what is missing."""

from __future__ import annotations

from pathlib import Path

from .catalogue import ModelFile
from .find import PACK_FOLDER, find_copies
from .listing import listing


def text() -> str:
    """The page, as plain text."""
    return (
        "Model files of Likeness, looked for in the folders of this ComfyUI. Run the commands in\n"
        f"{PACK_FOLDER}\nwith ComfyUI's Python, then reload this page. Nothing is fetched from here; in\n"
        "ComfyUI itself the tab Models of Likeness shows what a graph lacks, and gets it if you say so.\n\n"
        f"{listing(_find)}"
    )


def _find(file: ModelFile) -> Path | None:
    return next(iter(find_copies(file)), None)
