"""Measure on your own pictures how rare a similarity is, and write the file that the nodes then use.

`python -m tools.calibrate DIR`, where DIR holds a folder of pictures for each person, or a folder for each
group with such folders in it (DIR/GROUP/PERSON/picture.jpg): then each group is measured too. In each picture
the largest face counts. Use pictures of people who agreed to it. Run it with the Python of ComfyUI, in the
pack's folder.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from installer.paths import shared_models, surrounding_comfyui
from likeness.algebra.calibration import FILE, FORMAT, load, parse
from likeness.algebra.strangers import Measured, as_curve, measure
from likeness.faces.choose import select
from likeness.faces.detect import detect
from likeness.faces.embed import embed
from likeness.faces.models import FaceModels
from likeness.faces.pictures import BadPicture, open_picture
from likeness.values import Face
from likeness.weights.catalogue import face_packs
from likeness.weights.find import MissingModel
from likeness.weights.write import written

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True)
class Person:
    name: str
    group: str
    pictures: tuple[Path, ...]


def people_in(folder: Path) -> list[Person]:
    """Folders with pictures in them, and one level deeper, where the folder above is the group."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder.")
    found = []
    for child in _folders(folder):
        own = _pictures(child)
        if own:
            found.append(Person(child.name, "", own))
        for inner in _folders(child):
            pictures = _pictures(inner)
            if pictures:
                found.append(Person(inner.name, child.name, pictures))
    if len(found) < 2:
        raise ValueError(
            f"{folder} holds pictures of {len(found)} people. Make a folder for each person: "
            "DIR/PERSON/picture.jpg, or DIR/GROUP/PERSON/picture.jpg."
        )
    return found


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _pictures(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS))


def faces_in(models: FaceModels, people: Sequence[Person], names: Sequence[str]) -> list[list[Face]]:
    """The largest face of each picture of each person, described by the recognisers of these names."""
    described = []
    for person in people:
        own = []
        for path in person.pictures:
            try:
                pixels = np.asarray(open_picture(path), dtype=np.float32) / 255
            except BadPicture as error:
                sys.stderr.write(f"left out: {error}\n")
                continue
            found = select(detect(models, torch.from_numpy(pixels)[None]), "largest", "0")
            if not found.count:
                sys.stderr.write(f"left out, no face: {path}\n")
                continue
            for name in names:
                found = embed(models, found, name)
            own.append(found.faces[0][0])
        described.append(own)
    return described


def there(models: FaceModels) -> list[str]:
    """The recognisers of the pack whose files are there."""
    names = []
    for name in models.recognisers:
        try:
            models.recogniser(name)
        except MissingModel as error:
            sys.stderr.write(f"{error}\n")
        else:
            names.append(name)
    if not names:
        raise ValueError(
            f"The face pack {models.pack} has no recogniser here. Get it with install.py --models."
        )
    return names


def table(name: str, measured: Measured) -> str:
    """A recogniser's curve, and at the same similarities those of the groups."""
    lines = [
        f"{name}: {measured.people} people, {measured.pictures} pictures, {measured.strangers} pairs of "
        f"strangers, {measured.same} of one person",
        "similarity  one stranger in  (95 % of draws of people)  same person reaches it",
    ]
    for group, points in {"": measured.points, **measured.groups}.items():
        lines += [f"among {group}"] if group else []
        lines += [
            f"{p.similarity:>10.3f}  {p.one_in:>15.0f}  {f'({p.low:.0f} to {p.high:.0f})':>26}  "
            f"{p.same:>22.1%}"
            for p in points
        ]
    return "\n".join(lines)


def calibrate(folder: Path, models: FaceModels, out: Path) -> str:
    """Measure, write `out`, and say what was found. What `out` says of other recognisers stays."""
    people = people_in(folder)
    before = _written(out)
    names = there(models)
    faces = faces_in(models, people, names)
    seen = [(n, face) for n, own in enumerate(own for own in faces if own) for face in own]
    groups = [person.group for person, own in zip(people, faces, strict=True) if own]
    told, curves = [], before
    for name in names:
        vectors = torch.stack([face.embeddings[name] for _, face in seen]) if seen else torch.zeros(0, 1)
        measured = measure(vectors, [n for n, _ in seen], groups)
        source = f"measured by tools.calibrate on {measured.pictures} pictures of {measured.people} people"
        curves[name] = as_curve(measured, f"{source}, largest faces, picture against picture.")
        told.append(table(name, measured))
    whole = {"format": FORMAT, "recognisers": curves}
    parse(whole, out.name)
    with written(out) as unfinished:
        unfinished.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return "\n\n".join([*told, f"Written: {out}"])


def _written(out: Path) -> dict[str, Any]:
    """The curves that the file holds. Raises ValueError naming one that is damaged or no calibration file."""
    if not out.is_file():
        return {}
    load(out)
    return dict(json.loads(out.read_text(encoding="utf-8")).get("recognisers", {}))


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.calibrate", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="a folder of pictures for each person")
    parser.add_argument("--face-models", choices=list(face_packs()), default="embedded", help="the face pack")
    parser.add_argument("--provider", default="auto", help="as in Load Face Models")
    parser.add_argument("--models", type=Path, action="append", metavar="DIR", help="a folder insightface")
    parser.add_argument("--out", type=Path, help=f"the file; else models/identities/{FILE} of this ComfyUI")
    given = parser.parse_args(arguments)
    comfyui = surrounding_comfyui()
    folders = given.models or [shared_models() / "insightface"]
    if comfyui and not given.models:
        folders.insert(0, comfyui / "models" / "insightface")
    out = given.out or (comfyui / "models" / "identities" / FILE if comfyui else Path(FILE))
    try:
        models = FaceModels.open(given.face_models, given.provider, folders)
        sys.stdout.write(calibrate(given.folder, models, out) + "\n")
    except (ValueError, MissingModel) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
