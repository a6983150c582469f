"""Who the identity photos show: aligned faces and a recogniser's vectors, found once and kept in a file."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from likeness.weights.write import write_tensors

from ..pictures import mark
from .faces import Looker
from .triplets import Triplet

log = logging.getLogger(__name__)

_FILE, _EVERY = "people.safetensors", 500


@dataclass(frozen=True, eq=False)
class People:
    """By photo: faces [112, 112, 3] uint8, aligned; vectors [D] raw, of the recogniser there was, or none."""

    faces: dict[Path, Tensor]
    vectors: dict[Path, Tensor]


def find_people(
    triplets: Sequence[Triplet], folder: Path, recogniser: Path | None
) -> tuple[People, list[Triplet]]:
    """Everybody the triplets name, and the triplets whose identity photo shows a face.

    What is found is kept in `folder` and not looked for again. A recogniser that changes makes it anew.
    """
    photos = sorted({one.identity for one in triplets if one.identity is not None})
    path = folder / _FILE
    known, by = _read(path)
    asked = recogniser.name if recogniser is not None else ""
    if by != asked:
        known = {}
    keys = {photo: f"{photo}|{mark(photo)}" for photo in photos}
    missing = [photo for photo in photos if f"{keys[photo]}|seen" not in known]
    if missing:
        looker = Looker(recogniser)
        for number, photo in enumerate(missing, 1):
            known |= _look(looker, photo, keys[photo], recogniser is not None)
            if number % _EVERY == 0 or number == len(missing):
                write_tensors(known, {"recogniser": asked}, path)
                log.info("looked at %d of %d identity photos", number, len(missing))
    faces, vectors = (
        {photo: known[f"{key}|{what}"] for photo, key in keys.items() if f"{key}|{what}" in known}
        for what in ("face", "vector")
    )
    kept = [one for one in triplets if one.identity is None or one.identity in faces]
    if len(kept) < len(triplets):
        log.warning("%d triplets are left out: no face in their identity photo.", len(triplets) - len(kept))
    if not kept:
        raise ValueError("No triplet is left: no identity photo shows a face.")
    return People(faces, vectors), kept


def _look(looker: Looker, photo: Path, key: str, describe: bool) -> dict[str, Tensor]:
    seen, found = looker.look(photo), {f"{key}|seen": torch.ones(1, dtype=torch.uint8)}
    if seen is not None:
        found[f"{key}|face"] = seen.aligned()
        if describe:
            found[f"{key}|vector"] = looker.describe([seen])[0]
    return found


def _read(path: Path) -> tuple[dict[str, Tensor], str]:
    from safetensors import safe_open

    if not path.is_file():
        return {}, ""
    with safe_open(path, "pt") as file:
        facts = file.metadata() or {}
        return {key: file.get_tensor(key) for key in file.keys()}, facts.get("recogniser", "")  # noqa: SIM118
