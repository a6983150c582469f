"""`--judge identity`: whether a picture shows the person of its row, in the eyes of a recogniser of its own.

A method is driven to please the recogniser that conditions it, so another one judges: what the workflow
uses is read off its nodes. The pack's own face functions do it, in the driver's process.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from likeness.algebra.bar import least_similarity
from likeness.algebra.calibration import told
from likeness.algebra.judge import photographed
from likeness.choices.faces import ONLY
from likeness.faces.detect import detect
from likeness.faces.embed import embed
from likeness.faces.models import FaceModels
from likeness.identity import cosines
from likeness.values import Identity, recogniser_text
from likeness.weights.catalogue import face_packs
from likeness.weights.find import MissingModel

from .values import Picture, Prompt, RowError

#: People whose vectors are remembered: neighbouring rows are often of one person.
_KEPT = 256


class JudgeError(ValueError):
    """Nobody can judge as asked; the message says why and what to do."""


@dataclass(frozen=True)
class Verdict:
    """judged: what the ledger keeps of the job; each: of its pictures, None for what is no image."""

    accepted: bool
    judged: Mapping[str, Any]
    each: tuple[Mapping[str, Any] | None, ...]


@dataclass
class IdentityJudge:
    """models: a face pack; recogniser: one of its; at_least: a cosine; column: the photo's "Title.input"."""

    models: FaceModels
    recogniser: str
    at_least: float
    column: str
    _people: OrderedDict[str, Identity] = field(default_factory=OrderedDict)

    def judge(self, photo: Mapping[str, str], pictures: Sequence[Picture]) -> Verdict:
        """photo: {"path", "sha256"} of the row's person. Every image must show them; the least counts.

        Raises RowError when the photo shows no face or is gone.
        """
        target = self._person(photo)
        each = tuple(self._look(target, one.data) if one.kind == "image" else None for one in pictures)
        images = [one for one in each if one is not None]
        if not images:
            raise RowError("The workflow saved no image, so there is nothing to judge.")
        least = min(
            (one["similarity"] for one in images), key=lambda cosine: -2 if cosine is None else cosine
        )
        judged = {
            "similarity": least,
            "faces": [one["faces"] for one in images],
            "recogniser": self.recogniser,
            "at_least": self.at_least,
        }
        return Verdict(least is not None and least >= self.at_least, judged, each)

    def _person(self, photo: Mapping[str, str]) -> Identity:
        known = self._people.get(photo["sha256"])
        if known is None:
            try:
                image = _image(Path(photo["path"]).read_bytes())
            except OSError as error:
                raise RowError(f"The photo {photo['path']} can't be read for judging: {error}.") from error
            try:
                known = photographed(self.models, image, self.recogniser, self.column)
            except ValueError as error:
                raise RowError(str(error)) from error
            self._people[photo["sha256"]] = known
            while len(self._people) > _KEPT:
                self._people.popitem(last=False)
        self._people.move_to_end(photo["sha256"])
        return known

    def _look(self, target: Identity, data: bytes) -> Mapping[str, Any]:
        faces = embed(self.models, detect(self.models, _image(data)), self.recogniser)
        vectors = [face.embeddings[self.recogniser] for found in faces.faces for face in found]
        best = max(cosines(self.column, target, vectors), default=None)
        return {"similarity": None if best is None else round(best, 5), "faces": faces.count}

    def __str__(self) -> str:
        bar = told(self.at_least, self.recogniser)
        return f"{recogniser_text(self.recogniser)} judges: similarity to {self.column} at least {bar}"


def appoint(
    prompt: Prompt,
    columns: Sequence[str],
    at_least: str,
    pack: str = "",
    recogniser: str = "",
    same: bool = False,
    folders: Sequence[str | Path] | None = None,
) -> IdentityJudge:
    """Who judges.

    columns: those whose values are pictures, of which one is the person's. at_least: as in
    likeness.algebra.bar. pack, recogniser: "" for the first of another recogniser whose files are there.
    same: let one judge that the workflow uses. folders: model folders of the host. Raises JudgeError,
    MissingModel.
    """
    if len(columns) != 1:
        there = ", ".join(columns) or "none"
        raise JudgeError(
            f"--judge needs to know which column holds the person's photo; columns of pictures: {there}. "
            "Name one with --judge-photo TITLE.INPUT."
        )
    used = set() if same else recognisers_of(prompt)
    models, name = _choose(pack, recogniser, used, folders)
    try:
        bar = least_similarity(at_least, name)
    except ValueError as error:
        raise JudgeError(f"--at-least: {error}") from error
    if bar is None:
        raise JudgeError("--judge needs --at-least: a similarity such as 0.4, or '1 in 100' strangers.")
    return IdentityJudge(models, name, bar, columns[0])


def recognisers_of(prompt: Prompt) -> set[str]:
    """Recognisers that a workflow names, with all of its face packs where a node takes the only one."""
    packs, known = face_packs(), {name for pack in face_packs().values() for name in pack.recognisers}
    values = [v for node in prompt.values() for v in node["inputs"].values() if isinstance(v, str)]
    used = known.intersection(values)
    if ONLY in values:
        used |= {name for value in values if value in packs for name in packs[value].recognisers}
    return used


def _choose(
    pack: str, recogniser: str, used: set[str], folders: Sequence[str | Path] | None
) -> tuple[FaceModels, str]:
    packs = face_packs()
    if pack and pack not in packs:
        raise JudgeError(f"No face pack is called {pack!r}. There are: {', '.join(packs)}.")
    pairs = [(p, name) for p in ([pack] if pack else packs) for name in packs[p].recognisers]
    pairs = [(p, name) for p, name in pairs if recogniser in ("", name)]
    if not pairs:
        known = ", ".join(dict.fromkeys(n for p in packs.values() for n in p.recognisers))
        raise JudgeError(f"No recogniser is called {recogniser!r} there. There are: {known}.")
    others = [(p, name) for p, name in pairs if name not in used]
    if not others:
        raise JudgeError(
            f"The workflow itself uses {', '.join(sorted({name for _, name in pairs}))}, which would flatter "
            "its own pictures. Name another with --judge-recogniser, or allow it with --judge-same."
        )
    missing: MissingModel | None = None
    for p, name in others:
        try:
            models = FaceModels.open(p, folders=folders)
            models.recogniser(name)
            return models, name
        except MissingModel as error:
            missing = missing or error
    assert missing is not None
    raise missing


def _image(data: bytes) -> torch.Tensor:
    """IMAGE [1, H, W, 3] of a picture file's bytes. Raises OSError."""
    with Image.open(io.BytesIO(data)) as picture:
        rgb = np.asarray(picture.convert("RGB"), dtype=np.float32) / 255
    return torch.from_numpy(rgb)[None]
