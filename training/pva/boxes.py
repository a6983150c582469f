"""Where the face is in every picture of a data set: looked for once, then read from a file. Spec A.5 "Masks".

Reading all pictures here also finds those that can't be read before the training starts.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from likeness.faces.choose import select
from likeness.faces.detect import detect
from likeness.faces.holes import BOXES, box
from likeness.faces.mesh import landmarks
from likeness.faces.models import FaceModels
from likeness.faces.pixels import rgb8
from likeness.weights.write import written

from ..chance import whole
from ..people import People
from ..pictures import BadPicture, read_square

log = logging.getLogger(__name__)

FORMAT = "likeness-pva-boxes/1"
#: Pictures between two writings of the file, and how many bad ones a message names.
_WRITE_EVERY, _NAMED = 500, 10

#: Of each box, the least and greatest x and y of its points, in parts of the picture's side; None: no face.
Extents = Mapping[str, list[float]] | None


def find_extents(picture: torch.Tensor) -> Extents:
    """Of the largest face in [3, S, S] from 0 to 1, by the detector and mesh that come with the pack."""
    images = picture.movedim(0, -1)[None]
    found = select(detect(FaceModels.open("embedded", "CPU"), images), "largest", "0")
    if not found.faces[0]:
        return None
    points = landmarks(torch.from_numpy(rgb8(images, 0)), found.faces[0][0]) / picture.shape[-1]
    made = {}
    for region, members in BOXES.items():
        chosen = points[list(members)]
        made[region] = [*chosen.amin(dim=0).tolist(), *chosen.amax(dim=0).tolist()]
    return made


@dataclass(frozen=True)
class Boxes:
    """The boxes of all pictures that show a face, by the pictures' names."""

    extents: Mapping[str, Extents]
    valid: tuple[str, ...]
    swap_sides: bool = False

    def hole(self, name: str, side: int, source: torch.Generator) -> torch.Tensor:
        """A random one of a picture's three boxes as a mask [side, side].

        For a picture without a face, that of another picture.
        """
        there = self.extents.get(name)
        if not there:
            there = self.extents[self.valid[whole(0, len(self.valid) - 1, source)]] or {}
        regions = list(BOXES)
        corners = torch.tensor(there[regions[whole(0, len(regions) - 1, source)]]).view(2, 2) * side
        mask = torch.zeros(side, side)
        top, left, bottom, right = box(corners, mask, self.swap_sides)
        mask[top:bottom, left:right] = 1
        return mask


def find_boxes(
    people: People,
    cache: Path,
    side: int,
    swap_sides: bool = False,
    find: Callable[[torch.Tensor], Extents] = find_extents,
) -> Boxes:
    """Boxes of all pictures, from the file `cache` where it knows a picture by name, size and time.

    side: of the pictures in training; half of it is the least a file may have. Raises BadPicture naming the
    files that can't be read, ValueError if no picture shows a face.
    """
    known, new = _known(cache), []
    entries: dict[str, dict[str, Any]] = {}
    for path in people.pictures:
        name, mark = people.name(path), _mark(path)
        if known.get(name, {}).get("file") == mark:
            entries[name] = known[name]
        else:
            new.append((name, path, mark))
    if new:
        log.info("Looking for faces in %d of %d pictures ...", len(new), len(people.pictures))
        _look(new, entries, known, cache, side, find)
    extents = {name: entry["extents"] for name, entry in entries.items()}
    valid = tuple(sorted(name for name, found in extents.items() if found))
    if not valid:
        raise ValueError(f"No picture of {people.root} shows a face: are they portraits, and upright?")
    if len(valid) < len(extents):
        absent = next(name for name, found in extents.items() if not found)
        log.warning("%d pictures show no face, such as %s.", len(extents) - len(valid), absent)
    return Boxes(extents, valid, swap_sides)


def _look(
    new: list[tuple[str, Path, list[int]]],
    entries: dict[str, dict[str, Any]],
    known: Mapping[str, Any],
    cache: Path,
    side: int,
    find: Callable[[torch.Tensor], Extents],
) -> None:
    """Fills entries; several pictures at a time, and what is found is not lost when it is broken off."""

    def look(path: Path) -> Extents | BadPicture:
        try:
            return find(read_square(path, side, side // 2))
        except BadPicture as error:
            return error

    bad: list[str] = []
    began = time.monotonic()
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        for start in range(0, len(new), _WRITE_EVERY):
            some = new[start : start + _WRITE_EVERY]
            for (name, _, mark), found in zip(
                some, pool.map(look, [path for _, path, _ in some]), strict=True
            ):
                if isinstance(found, BadPicture):
                    bad.append(str(found))
                else:
                    entries[name] = {"file": mark, "extents": found}
            _write(cache, {**known, **entries})
            done = start + len(some)
            log.info("%d of %d pictures, %.0f s", done, len(new), time.monotonic() - began)
    if bad:
        more = f"\n... and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
        raise BadPicture(
            f"{len(bad)} pictures can't be learnt from. Repair them or take them out of the data set:\n"
            + "\n".join(bad[:_NAMED])
            + more
        )


def _mark(path: Path) -> list[int]:
    """Tells whether a file is still the same."""
    try:
        stat = path.stat()
    except OSError as error:
        raise BadPicture(f"{path} is not there.") from error
    return [stat.st_size, stat.st_mtime_ns]


def _known(cache: Path) -> Mapping[str, Any]:
    if not cache.is_file():
        return {}
    try:
        found = json.loads(cache.read_text(encoding="utf-8"))
        if found["format"] == FORMAT:
            return dict(found["pictures"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{cache} holds no face boxes: delete it, or give another --boxes. ({error})"
        ) from error
    raise ValueError(f"{cache} holds {found['format']} instead of {FORMAT}: delete it.")


def _write(cache: Path, pictures: Mapping[str, Any]) -> None:
    with written(cache) as unfinished:
        unfinished.write_text(json.dumps({"format": FORMAT, "pictures": pictures}), encoding="utf-8")
