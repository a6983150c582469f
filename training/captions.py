"""What a folder of pictures says of them in captions.json: file name to text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_FILE = "captions.json"


def read_captions(folder: Path) -> Mapping[str, str]:
    """Empty without the file. Raises ValueError for one that is something else."""
    path = folder / _FILE
    if not path.is_file():
        return {}
    found = read_object(path)
    wrong = [name for name, text in found.items() if not isinstance(text, str)]
    if wrong:
        raise ValueError(f"{path}: the caption of {wrong[0]} is no text.")
    return found


def read_object(path: Path) -> Mapping[str, Any]:
    """The JSON object in a file. Raises ValueError for what is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} can't be read as JSON: {error}") from error
    if not isinstance(found, Mapping):
        raise ValueError(f"{path} must hold an object with names, not a {type(found).__name__}.")
    return found
