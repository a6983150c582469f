"""Who is in every picture of a data set, as a recogniser says: looked for once, then read from a file."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from likeness.faces.choose import select
from likeness.faces.detect import detect
from likeness.faces.embed import embed
from likeness.faces.models import FaceModels
from likeness.weights.catalogue import face_packs
from likeness.weights.find import MissingModel
from likeness.weights.write import write_tensors

from ..people import People
from ..pictures import BadPicture, mark, read_square

log = logging.getLogger(__name__)

_FILE, _EVERY, _NAMED = "faces.safetensors", 500, 10
#: Of a picture [3, S, S]: the raw vector [512], the box [4] (x1, y1, x2, y2, in parts of the side); or None.
Found = tuple[Tensor, Tensor] | None
Look = Callable[[Tensor], Found]


@dataclass(frozen=True, eq=False)
class Known:
    """By the pictures' names. Pictures without a face are not there."""

    vectors: dict[str, Tensor]
    boxes: dict[str, Tensor]


def looker(recogniser: str, folder: Path) -> Look:
    """Looks for the largest face. folder: ComfyUI's models/insightface, where the recogniser's file lies.

    Raises ValueError where a file is missing or no recogniser.
    """
    packs = [name for name, pack in face_packs().items() if recogniser in pack.recognisers]
    if not packs:
        raise ValueError(f"No face pack has the recogniser {recogniser!r}.")
    try:
        models = FaceModels.open(packs[0], "auto", [folder])
        models.recogniser(recogniser)
    except MissingModel as error:
        raise ValueError(f"--face-models {folder}: {error}") from error

    def look(picture: Tensor) -> Found:
        found = select(detect(models, picture.movedim(0, -1)[None]), "largest", "0")
        if not found.faces[0]:
            return None
        (face,) = embed(models, found, recogniser).faces[0]
        return face.embeddings[recogniser], face.box / picture.shape[-1]

    return look


def find_faces(
    people: People, folder: Path, recogniser: str, side: int, open_look: Callable[[], Look]
) -> Known:
    """Everybody's pictures, looked at once and kept in `folder`; another recogniser makes it anew.

    side: of the pictures in training; half of it is the least that a file may have. open_look: called where
    something is to be looked at. Raises BadPicture naming the files that can't be read, ValueError if no
    picture shows a face.
    """
    path = folder / _FILE
    known = _read(path, recogniser)
    keys = {picture: f"{people.name(picture)}|{mark(picture)}" for picture in people.pictures}
    missing = [picture for picture, key in keys.items() if f"{key}|seen" not in known]
    if missing:
        _look(
            missing,
            keys,
            known,
            side,
            open_look(),
            lambda: write_tensors(known, {"recogniser": recogniser}, path),
        )
    vectors, boxes = (
        {people.name(one): known[f"{key}|{what}"] for one, key in keys.items() if f"{key}|{what}" in known}
        for what in ("vector", "box")
    )
    if not vectors:
        raise ValueError(f"No picture of {people.root} shows a face: are they portraits, and upright?")
    if len(vectors) < len(keys):
        absent = next(people.name(one) for one in keys if people.name(one) not in vectors)
        log.warning(
            "%d pictures show no face and are left out, such as %s.", len(keys) - len(vectors), absent
        )
    return Known(vectors, boxes)


def _look(
    missing: list[Path],
    keys: dict[Path, str],
    known: dict[str, Tensor],
    side: int,
    look: Look,
    write: Callable[[], None],
) -> None:
    """Fills `known`; what is found is not lost when it is broken off."""
    log.info("Looking for faces in %d of %d pictures ...", len(missing), len(keys))
    bad: list[str] = []
    for count, picture in enumerate(missing, 1):
        try:
            found = look(read_square(picture, side, side // 2))
        except BadPicture as error:
            bad.append(str(error))
            continue
        known[f"{keys[picture]}|seen"] = torch.ones(1, dtype=torch.uint8)
        if found is not None:
            known[f"{keys[picture]}|vector"], known[f"{keys[picture]}|box"] = found
        if count % _EVERY == 0:
            write()
            log.info("%d of %d pictures", count, len(missing))
    if bad:
        more = f"\n... and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
        raise BadPicture(
            f"{len(bad)} pictures can't be learnt from. Repair them or take them out of the data set:\n"
            + "\n".join(bad[:_NAMED])
            + more
        )
    write()


def _read(path: Path, recogniser: str) -> dict[str, Tensor]:
    """What an earlier run found with the same recogniser. Raises ValueError for a damaged file."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return {}
    try:
        with safe_open(path, "pt") as file:
            if (file.metadata() or {}).get("recogniser") != recogniser:
                return {}
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} holds no faces that were found: delete it. ({error})") from error
