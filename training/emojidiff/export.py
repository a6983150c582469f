"""E-adapter files out of a lesson, in IP-Adapter-Plus' layout, and back. Spec C.1 "State dict"."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from likeness.methods.emojidiff.files import write
from likeness.weights.read import tensors_under

from ..reading import read
from .lesson import IMAGE_PROJ, IP_ADAPTER, EmojiLesson


def export(lesson: EmojiLesson, path: Path, clip: str) -> None:
    """A file that Load E-Adapter and IP-Adapter nodes read. There whole or not at all.

    clip: what the file calls the CLIP vision model. Raises ValueError for what would not load, such as NaN.
    """
    named = lesson.trained()
    image_proj, layers = tensors_under(named, IMAGE_PROJ), tensors_under(named, IP_ADAPTER)
    write(path, image_proj, layers, lesson.kind, clip)


def read_adapter(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of an E-adapter or IP-Adapter-Plus, flat, to go on from. Raises ValueError."""
    content = read(path)
    found: dict[str, torch.Tensor] = {}
    for part in (IMAGE_PROJ, IP_ADAPTER):
        under: Mapping[str, torch.Tensor] = tensors_under(content, part)
        if not under:
            raise ValueError(f"{path} is no E-adapter: it has no {part}.")
        found |= {f"{part}.{name}": value for name, value in under.items()}
    return found
