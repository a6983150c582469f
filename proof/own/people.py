"""A folder of people: in each person's folder one photo is the reference, the others are the truth."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

Picture = NDArray[np.uint8]

#: What a photo's name ends in, and the file that may say more of a person.
PHOTOS = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
ABOUT = "person.json"
_WORDS = "a person"


@dataclass(frozen=True)
class Person:
    """reference: all that a method is given. truths: never shown to a model. words: what prompts call the
    person. labels: by which the report groups people."""

    name: str
    reference: Path
    truths: tuple[Path, ...]
    words: str = _WORDS
    labels: Mapping[str, str] = field(default_factory=dict)


def read(folder: Path) -> list[Person]:
    """Everybody in a folder, by name. Raises ValueError that says which folder lacks what."""
    if not folder.is_dir():
        raise ValueError(f"--people {folder} is no folder. It holds a folder for each person.")
    rooms = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(rooms) < 2:
        raise ValueError(
            f"--people {folder} holds {len(rooms)} folders: two people at least are needed, for one is "
            "measured against another. Put each person's photos into a folder of their own."
        )
    return [_person(room) for room in rooms]


def _person(room: Path) -> Person:
    photos = sorted(path for path in room.iterdir() if path.suffix.lower() in PHOTOS)
    if len(photos) < 2:
        raise ValueError(
            f"{room} holds {len(photos)} photos ({', '.join(PHOTOS)}): two are needed, one to draw from and "
            "one to judge by."
        )
    told = _about(room / ABOUT)
    chosen = told.pop("reference", None)
    named = [path for path in photos if path.name == chosen or (not chosen and path.stem == "reference")]
    if chosen and not named:
        raise ValueError(f"{room / ABOUT} names the reference {chosen!r}, but no photo there is called that.")
    reference = named[0] if named else photos[0]
    same = hashlib.sha256(reference.read_bytes()).digest()
    truths = tuple(path for path in photos if path != reference)
    for path in truths:
        if hashlib.sha256(path.read_bytes()).digest() == same:
            raise ValueError(
                f"{path} is the reference {reference.name} again: a truth must be another photo. Take it out."
            )
    return Person(room.name, reference, truths, **told)


def _about(file: Path) -> dict[str, Any]:
    """What person.json says; nothing without one."""
    if not file.is_file():
        return {}
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is not JSON: {error}") from error
    labels = told.get("labels", {}) if isinstance(told, dict) else None
    if not isinstance(labels, dict) or not set(told) <= {"reference", "words", "labels"}:
        raise ValueError(f'{file} may hold "reference", "words" and "labels", an object; not {told!r}.')
    if not all(isinstance(told.get(name, ""), str) for name in ("reference", "words")):
        raise ValueError(f'"reference" and "words" of {file} are texts.')
    told["labels"] = {str(name): str(value) for name, value in labels.items()}
    return dict(told)


def photo(path: Path) -> Picture:
    """[H, W, 3] uint8 RGB, upright as the camera says. Raises ValueError for what is no picture."""
    try:
        with Image.open(path) as opened:
            return np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"{path} can't be read as a picture: {error}") from error
