"""PVA's files out of a lesson, in the official layout, and back. Spec A.1 "Official checkpoint layout"."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from likeness.methods.pva.content import FACE_NET, TRANSFORMER, UNET, WORD, Base, file_facts, parse_base
from likeness.weights.write import write_tensors, written

from ..reading import read
from .lesson import FACE_PREFIX, PVALesson


def content(lesson: PVALesson) -> dict[str, torch.Tensor]:
    """All tensors of the file, flat; with the face encoder and its statistics if it was ever tuned."""
    made = {name: value.detach() for name, value in lesson.trained().items()}
    start = lesson.start
    if start is not None:  # a file that tuned the layers' own attention keeps that
        kept = {f"{UNET}.{name}": value for name, value in start.unet.items()}
        made = {**kept, **made}
    if lesson.stage == 2 or (start is not None and start.face_net is not None):
        made |= {FACE_PREFIX + name: value for name, value in lesson.face_net.state_dict().items()}
    return {name: value.detach().to("cpu").clone() for name, value in made.items()}


def export(lesson: PVALesson, path: Path) -> None:
    """A file for Load PVA: flat .safetensors, or the authors' nested .bin. There whole or not at all."""
    flat = content(lesson)
    if path.suffix == ".bin":
        with written(path) as unfinished:
            torch.save(_nested(flat), unfinished)
    else:
        write_tensors(flat, file_facts(len(flat[WORD])), path)


def read_base(path: Path) -> Base:
    """A PVA file to go on from. Raises ValueError naming the file."""
    return parse_base(read(path), path.name)


def _nested(flat: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    parts: dict[str, Any] = {WORD: flat[WORD]}
    for part in (TRANSFORMER, UNET, FACE_NET):
        under = {k.removeprefix(f"{part}."): v for k, v in flat.items() if k.startswith(f"{part}.")}
        if under:
            parts[part] = under
    return parts
