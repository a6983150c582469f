"""PVA's files out of a lesson, in the official layout, and back. Spec A.1 "Official checkpoint layout"."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from likeness.faces.iresnet import IResNet, build_iresnet
from likeness.methods.pva import FACE_NET, TRANSFORMER, UNET, WORD, Base, file_facts, parse_base
from likeness.weights.write import write_tensors

from .pva_lesson import FACE_PREFIX, PVALesson

SUFFIXES = (".safetensors", ".bin")


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
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".bin":
        unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
        torch.save(_nested(flat), unfinished)
        os.replace(unfinished, path)
        return
    write_tensors(flat, file_facts(len(flat[WORD])), path)


def read_base(path: Path) -> Base:
    """A PVA file to go on from. Raises ValueError naming the file."""
    return parse_base(read(path), path.name)


def read_face_encoder(path: Path) -> IResNet:
    """ms1mv3_arcface_r50.pth, float32, in eval mode. Raises ValueError naming the file."""
    return build_iresnet(read(path), path.name)


def read(path: Path) -> Mapping[str, Any]:
    """The tensors of a .safetensors or pickled file, weights only. Raises ValueError naming the file."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        raise ValueError(f"{path} can't be read as weights. ({error})") from error
    if not isinstance(found, Mapping):
        raise ValueError(f"{path} holds no named tensors but a {type(found).__name__}.")
    return found


def _nested(flat: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    parts: dict[str, Any] = {WORD: flat[WORD]}
    for part in (TRANSFORMER, UNET, FACE_NET):
        under = {k.removeprefix(f"{part}."): v for k, v in flat.items() if k.startswith(f"{part}.")}
        if under:
            parts[part] = under
    return parts
