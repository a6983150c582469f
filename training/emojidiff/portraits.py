"""A folder of portraits as triplets: each picture is the template of its own expression.

A folder per person, or pictures side by side. Who it is comes from another photo of the same person where
there is one, so that the identity does not carry the expression too. Spec: pva_freecure_emojidiff.md C.4,
stage 0.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..captions import read_captions
from ..pictures import BadPicture, pictures_in
from .faces import Looker, write_picture
from .triplets import FILE, Triplet, read_triplets, write_triplets

log = logging.getLogger(__name__)

_OF = "portraits_of.txt"


def prepare(folder: Path, made: Path, smallest: int) -> list[Triplet]:
    """The triplets of a folder: its own list, or what was found in its portraits, kept in `made`.

    smallest: pixels of a side that a portrait must have. Portraits that are not square, too small or without
    exactly one face are left out, and counted. Raises ValueError when nothing is left.
    """
    if (folder / FILE).is_file() or folder.is_file():
        return read_triplets(folder)
    if (made / FILE).is_file():
        _check_same(folder, made)
        return read_triplets(made)
    people = _people(folder)
    captions, looker = read_captions(folder), Looker()
    found: list[Triplet] = []
    left_out: Counter[str] = Counter()
    for pictures in people:
        kept = []
        for path in pictures:
            one, why = _portrait(path, folder, made, looker, smallest, captions)
            if one is None:
                left_out[why] += 1
            else:
                kept.append(one)
        for place, one in enumerate(kept):
            other = kept[(place + 1) % len(kept)].target
            found.append(replace(one, identity=other))
    for why, count in left_out.items():
        log.warning("%d portraits are left out: %s.", count, why)
    if not found:
        raise ValueError(
            f"{folder} holds no portrait to learn from: {dict(left_out) or 'no pictures at all'}."
        )
    log.info("%d portraits of %d people", len(found), len(people))
    made.mkdir(parents=True, exist_ok=True)
    (made / _OF).write_text(str(folder.resolve()), encoding="utf-8")
    write_triplets(found, made)
    return found


def _check_same(folder: Path, made: Path) -> None:
    """Raises ValueError when `made` holds what was found in another folder."""
    of = (made / _OF).read_text(encoding="utf-8") if (made / _OF).is_file() else "another folder"
    if of != str(folder.resolve()):
        raise ValueError(f"{made} holds the portraits of {of}, not of {folder}. Give another --output.")


def _people(folder: Path) -> list[Sequence[Path]]:
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder, and no list of triplets.")
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    alone: list[Sequence[Path]] = [[path] for path in pictures_in(folder)]
    return alone + [pictures_in(path) for path in inside]


def _portrait(
    path: Path, folder: Path, made: Path, looker: Looker, smallest: int, captions: Mapping[str, str]
) -> tuple[Triplet | None, str]:
    """A portrait as its own triplet, or why not."""
    try:
        seen = looker.look(path)
    except BadPicture as error:
        log.warning("%s", error)
        return None, "no pictures that can be read"
    if seen is None or seen.count != 1:
        return None, "no face in them" if seen is None else "several faces in them"
    height, width = seen.picture.shape[:2]
    if height != width or width < smallest:
        return None, "not square" if height != width else f"smaller than {smallest} pixels"
    name = path.relative_to(folder).with_suffix(".png")
    template = made / "templates" / name
    write_picture(seen.template(), template)
    key = path.relative_to(folder).as_posix()
    text = captions.get(key, captions.get(path.name, ""))
    return Triplet(template, path, None, text, seen.face.keypoints, seen.mesh_points), ""
