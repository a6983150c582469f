"""The drawn world with other files for some of its stages: unpacked ones, or those of another seed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from ..host_files import digest
from ..training.running import UNPACKED, unpacked_file
from ..training.stages import STAGES, Rooms


def unpacked(rooms: Rooms) -> dict[str, Path]:
    """Files by stage as they were before packing, of those that were trained in this cache and lie in models
    unchanged."""
    found = {}
    for stage in STAGES:
        file, of = unpacked_file(stage, rooms), rooms.models / f"{stage.name}.safetensors"
        mark = file.with_suffix(".of")
        if of.is_file() and mark.is_file() and mark.read_text(encoding="utf-8") == digest(of):
            found[stage.name] = file
    return found


def with_files(rooms: Rooms, name: str, others: Mapping[str, Path]) -> Rooms:
    """Rooms of their own, with these files by stage in the place of those of models."""
    folder = rooms.cache / "variants" / name
    shutil.rmtree(folder / "models", ignore_errors=True)
    (folder / "models").mkdir(parents=True)
    for file in rooms.models.glob("*.safetensors"):
        shutil.copyfile(others.get(file.stem, file), folder / "models" / file.name)
    return Rooms(folder / "models", folder)


def rooms_of(variant: str, rooms: Rooms) -> Rooms:
    """Where a row of this variant is drawn."""
    return with_files(rooms, variant, unpacked(rooms)) if variant == UNPACKED else rooms
