"""The list an E-adapter learns from: a face's expression, somebody else's identity, a picture that has both.

`triplets.jsonl`, one JSON object a line: `expression` (a prepared template, see likeness.faces.template),
`identity` (a photo of the person; may be left out), `target` (a square picture), `caption`, `landmarks` (five
points of the target's face in its pixels, as a detector finds them; only the stage `ica` needs them),
`mesh_landmarks` (the same five out of the mesh, by which templates are aligned; else landmarks are taken).
Paths are relative to the list.
Spec: pva_freecure_emojidiff.md C.4.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from likeness.weights.write import written

FILE = "triplets.jsonl"


@dataclass(frozen=True, eq=False)
class Triplet:
    """One line. landmarks, mesh_landmarks [5, 2] in pixels of the target, or None."""

    expression: Path
    target: Path
    identity: Path | None = None
    caption: str = ""
    landmarks: torch.Tensor | None = None
    mesh_landmarks: torch.Tensor | None = None


def read_triplets(where: Path) -> list[Triplet]:
    """A list, or the folder it is in. Raises ValueError naming the line that is no triplet."""
    path = where / FILE if where.is_dir() else where
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} can't be read as a list of triplets. ({error})") from error
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(_triplet(json.loads(line), path.parent))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}, line {number} is no triplet: {error}") from error
    if not found:
        raise ValueError(f"{path} holds no triplets.")
    return found


def _triplet(line: Any, folder: Path) -> Triplet:
    if not isinstance(line, Mapping):
        raise ValueError("it is no JSON object")
    missing = [key for key in ("expression", "target") if not isinstance(line.get(key), str)]
    if missing:
        raise ValueError(f"it has no {missing[0]}")
    identity = line.get("identity")
    return Triplet(
        _inside(folder, line["expression"]),
        _inside(folder, line["target"]),
        _inside(folder, identity) if identity else None,
        str(line.get("caption", "")),
        _points(line, "landmarks"),
        _points(line, "mesh_landmarks"),
    )


def _points(line: Mapping[str, Any], name: str) -> torch.Tensor | None:
    if line.get(name) is None:
        return None
    points = torch.tensor(line[name], dtype=torch.float32)
    if points.shape != (5, 2) or not points.isfinite().all():
        raise ValueError(f"{name} are {list(points.shape)} instead of five points x, y")
    return points


def write_triplets(triplets: Iterable[Triplet], folder: Path) -> Path:
    """The list with paths relative to `folder`, there whole or not at all."""
    lines = []
    for one in triplets:
        line: dict[str, Any] = {
            name: _relative(getattr(one, name), folder) for name in ("expression", "target")
        }
        if one.identity is not None:
            line["identity"] = _relative(one.identity, folder)
        line["caption"] = one.caption
        for name in ("landmarks", "mesh_landmarks"):
            points = getattr(one, name)
            if points is not None:
                line[name] = [[round(v, 2) for v in point] for point in points.tolist()]
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    with written(folder / FILE) as unfinished:
        unfinished.write_text("".join(lines), encoding="utf-8")
    return folder / FILE


def _inside(folder: Path, name: str) -> Path:
    return Path(os.path.normpath(folder / name))


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()
