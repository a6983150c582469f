"""The list of all model files as people read it: by method, what is there, what is missing, how to get it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from .catalogue import ModelFile, catalogue, methods, total_size

#: Where a file is, or None.
Find = Callable[[ModelFile], Path | None]
_HEADINGS = ("", "file", "size", "sum", "place", "licence")


def listing(find: Find) -> str:
    """One block per method. A size or sum that is not known is called unknown."""
    files = list(catalogue().values())
    found = {file.key: find(file) for file in files}
    blocks = []
    for method in methods():
        needed = [file for file in files if method in file.methods]
        rows = [_HEADINGS, *(_row(file, found[file.key]) for file in needed)]
        absent = [file for file in needed if found[file.key] is None]
        blocks.append("\n".join([f"{method}: {_summary(method, needed, absent)}", *_aligned(rows)]))
    return "\n\n".join(blocks)


def _summary(method: str, needed: Sequence[ModelFile], absent: Sequence[ModelFile]) -> str:
    if not absent:
        return "all there."
    counts = f"{len(absent)} of {len(needed)} files missing"
    offered = [file for file in absent if not file.by_hand]
    if not offered:
        return f"{counts}, to be put there by hand."
    by_hand = ", and the rest by hand" if len(offered) < len(absent) else ""
    return f"{counts}. To get {total_size(offered)}{by_hand}: python install.py --models {method}"


def _row(file: ModelFile, path: Path | None) -> tuple[str, ...]:
    if path is not None:
        place = str(path.parent)
    else:
        place = f"goes to models/{file.place.rsplit('/', 1)[0]}" + (", by hand" if file.by_hand else "")
    state = "there" if path else "missing"
    known = "known" if file.sha256 else "unknown"
    return state, file.name, file.size_text.replace("size ", ""), known, place, file.licence


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return [f"  {line}".rstrip() for line in lines]
