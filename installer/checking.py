"""`--check`: reads every model file there is, wherever ComfyUI looks, and says which are as published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from likeness.weights.catalogue import ModelFile, catalogue, readable_size
from likeness.weights.examine import DAMAGED, OK, UNKNOWN, examine
from likeness.weights.find import search_places

from .folders import Folders

_UNFINISHED, _MISSING = "unfinished", "missing"


def check_models(folders: Folders, say: Callable[[str], None] = print) -> bool:
    """One line per file as soon as it is read, then counts and advice. True when nothing is damaged."""
    say(folders.describe())
    counts: Counter[str] = Counter()
    methods: list[str] = []
    for file in catalogue().values():
        copies = folders.copies(file)
        counts[_MISSING] += not copies
        for path in copies:
            finding = examine(path, file)
            counts[finding.state] += 1
            say(f"  {finding.state:<10}  {file.name}: {finding.reason}  ({path})")
            if finding.state == DAMAGED:
                methods += file.methods[:1]
        for path in _unfinished(file, folders):
            counts[_UNFINISHED] += 1
            say(f"  {_UNFINISHED:<10}  {path.name}, {readable_size(path.stat().st_size)}  ({path})")
    states = [OK, DAMAGED, UNKNOWN, *([_UNFINISHED] if counts[_UNFINISHED] else []), _MISSING]
    say(", ".join(f"{counts[state]} {state}" for state in states) + ". What is missing: --list")
    if counts[UNKNOWN]:
        say("unknown: no sum was published that a file could be compared with.")
    if counts[_UNFINISHED]:
        say("unfinished: the command that began the download goes on with it.")
    if methods:
        say("Delete the damaged files, then: python install.py --models " + ",".join(dict.fromkeys(methods)))
    return not counts[DAMAGED]


def _unfinished(file: ModelFile, folders: Folders) -> list[Path]:
    places = search_places(file, folders.of(file.folder))
    return [path for place in places if (path := place / f"{file.name}.part").is_file()]
