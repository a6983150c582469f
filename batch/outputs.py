"""Pictures on the disk: written under a temporary name, checked, made durable, renamed."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from .ledger import Output
from .values import Job, Picture, RowError, WorldError

PICTURES = "pictures"
PART = ".part"


class DamagedPicture(ValueError):
    """What the host gave is no picture that can be decoded to its end."""


def save(folder: Path, job: Job, pictures: Sequence[Picture], place: str = PICTURES) -> list[Output]:
    """All files of a job, whole and in their places when this returns.

    place: the folder inside `folder`. The names depend on the job alone, so what a killed driver left is
    overwritten by the same. Raises RowError where there are none, DamagedPicture, and WorldError when the
    disk doesn't take them.
    """
    if not pictures:
        raise RowError("Nothing was saved: no node that saves had anything to save.")
    for picture in pictures:
        check(picture)
    try:
        if not folder.is_dir():
            raise WorldError(f"The output folder {folder} is gone.")
        (folder / place).mkdir(exist_ok=True)
        names = [f"{place}/{name}" for name in file_names(job, pictures)]
        for name, picture in zip(names, pictures, strict=True):
            _write(folder / name, picture.data)
        _sync_folder(folder / place)
    except OSError as error:
        raise WorldError(f"{folder} can't be written: {error.strerror or error}.") from error
    return [
        Output(name, hashlib.sha256(picture.data).hexdigest(), len(picture.data), picture.node)
        for name, picture in zip(names, pictures, strict=True)
    ]


def file_names(job: Job, pictures: Sequence[Picture]) -> list[str]:
    """Row, repeat and attempt (from the second on), key, and a number where there are several files."""
    stem = f"{job.row:06d}"
    stem += f"_r{job.repeat + 1}" if job.repeat else ""
    stem += f"_t{job.attempt + 1}" if job.attempt else ""
    stem += f"_{job.key[:12]}"
    several = len(pictures) > 1
    return [
        stem + (f"_{number}" if several else "") + Path(picture.name).suffix.lower()
        for number, picture in enumerate(pictures, 1)
    ]


def check(picture: Picture) -> None:
    """Raises DamagedPicture for an image that can't be decoded to its last row, and for an empty file."""
    if not picture.data:
        raise DamagedPicture(f"{picture.node!r} gave an empty file {picture.name}.")
    if picture.kind != "image":
        return
    try:
        with Image.open(io.BytesIO(picture.data)) as image:
            image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DamagedPicture(f"{picture.node!r} gave a damaged picture {picture.name}: {error}.") from error


def clear_parts(folder: Path) -> int:
    """Take away what a killed driver had begun to write; how many files."""
    parts = [path for path in folder.glob(f"*/*{PART}") if path.is_file()]
    for path in parts:
        path.unlink(missing_ok=True)
    return len(parts)


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + PART)
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if part.stat().st_size != len(data):
            raise OSError(f"{part.name} is not as long as what was written")
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # Windows has no such call
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
