"""How much room the pictures will take: guessed from the sizes in the workflow before anything is drawn."""

from __future__ import annotations

import shutil
from pathlib import Path

from .graph import settable
from .progress import counted
from .values import Prompt

#: Bytes of a pixel in a PNG of a portrait, about.
_PIXEL = 1.7


def expected(prompt: Prompt, jobs: int) -> tuple[int, int]:
    """(pictures, bytes) of so many jobs; bytes is 0 where the workflow names no size."""
    batch, pixels = 1, 0
    for node in prompt.values():
        values = settable(node["inputs"])
        size = [values.get(name) for name in ("width", "height")]
        if all(isinstance(side, int) and not isinstance(side, bool) for side in size):
            pixels = max(pixels, int(size[0] or 0) * int(size[1] or 0))
        if isinstance(values.get("batch_size"), int):
            batch = max(batch, int(values["batch_size"]))
    return jobs * batch, int(jobs * batch * pixels * _PIXEL)


def sentence(found: tuple[int, int], folder: Path) -> str:
    """What is said of it, with a warning where there is less room."""
    pictures, size = found
    said = counted(pictures, "picture")
    if not size:
        return f"{said}; the workflow doesn't say how large."
    place = next(p for p in (folder.resolve(), *folder.resolve().parents) if p.exists())
    free = shutil.disk_usage(place).free
    said += f", about {_size(size)} on the disk, where {_size(free)} are free."
    return said + (" That is too little: make room." if free < size else "")


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
