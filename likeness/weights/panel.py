"""What the page's panel of models asks: what a graph lacks, get it, how far is it, stop."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from .. import host
from .catalogue import ModelFile
from .fetching import Downloads
from .find import PACK_FOLDER, find_copies
from .wanted import files_of_prompt, not_commercial

#: Set to anything but 0: nothing is fetched from the page, by nobody.
OFF = "LIKENESS_NO_DOWNLOADS"


@lru_cache(maxsize=1)
def _downloads() -> Downloads:
    return Downloads(_folder_of)


def _folder_of(file: ModelFile) -> Path:
    return Path(host.files.download_folder(file.folder))


def off() -> str:
    """Why the page may fetch nothing here, or nothing."""
    if os.environ.get(OFF, "").strip() in ("", "0"):
        return ""
    return f"{OFF} is set, so that nothing is fetched from the page."


def lacks(question: Mapping[str, Any], why_not: str) -> dict[str, Any]:
    """The files that an API prompt needs and that are not there. why_not: why this caller may get none.

    Raises ValueError for what is no prompt.
    """
    prompt = question.get("prompt")
    nodes = prompt.values() if isinstance(prompt, dict) else [None]
    if not all(isinstance(node, dict) and isinstance(node.get("inputs"), dict) for node in nodes):
        raise ValueError("prompt is no graph: it takes {id: {class_type, inputs}}.")
    missing = [file for file in files_of_prompt(prompt or {}) if not find_copies(file)]
    methods = list(dict.fromkeys(file.methods[0] for file in missing if not file.by_hand))
    return {
        "files": [_described(file) for file in missing],
        "command": f"python install.py --models {','.join(methods)}" if methods else "",
        "folder": str(PACK_FOLDER),
        "why_not": off() or why_not,
    }


def _described(file: ModelFile) -> dict[str, Any]:
    return {
        "key": file.key,
        "name": file.name,
        "size": file.size,
        "size_text": file.size_text,
        "licence": file.licence,
        "not_commercial": not_commercial(file),
        "source": file.source,
        "by_hand": file.by_hand,
        "target": str(_folder_of(file) / file.inside),
        "note": file.note,
    }


def get(question: Mapping[str, Any], _: str) -> dict[str, Any]:
    """Begin to fetch the files `keys`. not_commercial: those that commerce may not use are meant, too.

    Raises ValueError.
    """
    if off():
        raise ValueError(off())
    keys = question.get("keys")
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError("keys is no list of names.")
    _downloads().start(keys, question.get("not_commercial") is True)
    return _downloads().told()


def stop(_: Mapping[str, Any], __: str) -> dict[str, Any]:
    """Stop what is fetched."""
    _downloads().stop()
    return _downloads().told()


def progress(_: Mapping[str, Any], __: str) -> dict[str, Any]:
    """How far everything is that was asked for."""
    return _downloads().told()
