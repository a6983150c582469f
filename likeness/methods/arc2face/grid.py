"""Many photos of a folder in one picture, as the grid generator of ComfyUI-Arc2Face makes it."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import torch

from ... import host
from ...faces.pictures import BadPicture, open_picture

log = logging.getLogger(__name__)

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
#: So many names of files go into a message.
_NAMED = 5


def photo_grid(directory: str, max_images: int = 16, max_size: int = 768) -> torch.Tensor:
    """The first photos of a folder by name, in cells of max_size pixels on black: [1, H, W, 3], 0 to 1.

    Photos larger than a cell are made smaller, smaller ones stay as they are. Files that can't be read are
    left out, and the log says so. Raises ValueError as photo_files does, and when none can be read.
    """
    from PIL import Image

    photos = _read(photo_files(directory), max_images)
    columns = math.ceil(math.sqrt(len(photos)))
    rows = math.ceil(len(photos) / columns)
    grid = Image.new("RGB", (columns * max_size, rows * max_size))
    for place, photo in enumerate(photos):
        photo.thumbnail((max_size, max_size), Image.Resampling.LANCZOS)
        grid.paste(photo, (place % columns * max_size, place // columns * max_size))
    pixels = torch.frombuffer(bytearray(grid.tobytes()), dtype=torch.uint8)
    return pixels.reshape(1, grid.height, grid.width, 3).to(torch.float32) / 255.0


def _read(paths: list[Path], count: int) -> list[Any]:
    """The first so many that can be read, as PIL images."""
    found: list[Any] = []
    bad: list[str] = []
    for path in paths:
        if len(found) == count:
            break
        try:
            found.append(open_picture(path))
        except BadPicture as error:
            log.warning("Left out of the grid: %s", error)
            bad.append(path.name)
    if bad and not found:
        raise ValueError(
            f"directory {paths[0].parent} holds no photo that can be read: not {', '.join(bad[:_NAMED])}. "
            "Put photos there, or give another folder."
        )
    return found


def photo_files(directory: str) -> list[Path]:
    """The photos of a folder, sorted by name. Raises ValueError when there are none.

    directory: a name in the host's input folder, or the full path of a folder in that or in its output
    folder. Others are refused before they are looked at: whoever may post a prompt would read them.
    """
    allowed = [
        Path(place).resolve() for place in (host.files.input_directory(), host.files.output_directory())
    ]
    # Graphs travel between systems, and so do their slashes.
    folder = Path(allowed[0], directory.replace("\\", "/")).resolve()
    if not any(folder.is_relative_to(place) for place in allowed):
        raise ValueError(
            f"directory {directory!r} is in neither ComfyUI's input nor its output folder, and photos are "
            f"read from no other. Put the folder with the photos into {allowed[0]} and give its name."
        )
    if not directory.strip() or not folder.is_dir():
        raise ValueError(
            f"directory {directory!r} is no folder. Give the name of one in {allowed[0]}, or the full path "
            f"of one in {allowed[1]}."
        )
    # macOS puts a hidden ._a.png with its own notes beside an a.png on other systems' disks.
    names = (path for path in folder.iterdir() if not path.name.startswith("."))
    photos = sorted(path for path in names if path.suffix.lower() in ENDINGS)
    if not photos:
        raise ValueError(f"directory {folder} holds no photo ({', '.join(ENDINGS)}).")
    return photos


def fingerprint(directory: str | None) -> str:
    """Changes when the folder's photos do."""
    if directory is None:
        return ""
    try:
        stats = [(path.name, path.stat()) for path in photo_files(directory)]
    except ValueError:
        return "none"  # told when the node runs
    return "; ".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats)
