"""The lines of finished samples, which a run that was broken off does not do again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_NAME = "progress"


def read_progress(folder: Path) -> list[dict[str, Any]]:
    """Every finished sample, of all processes that ever worked here: name, why (empty: it passed), numbers.

    A last line that was cut off is dropped. Raises ValueError for another that is damaged.
    """
    found = []
    for path in sorted(folder.glob(f"{_NAME}_*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n")[:-1], 1):
            try:
                found.append(json.loads(line))
            except ValueError as error:
                raise ValueError(f"{path}, line {number} is damaged: delete the line. ({error})") from error
    return found


def note(folder: Path, process: int, name: str, why: str, numbers: Mapping[str, float]) -> None:
    """One more line of this process."""
    path = folder / f"{_NAME}_{process:03}.jsonl"
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    if before and not before.endswith("\n"):  # cut off while it was written
        path.write_text(before[: before.rfind("\n") + 1], encoding="utf-8")
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"name": name, "why": why, "numbers": dict(numbers)}) + "\n")
