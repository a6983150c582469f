"""E-adapter files out of a lesson, in IP-Adapter-Plus' layout, and back. Spec C.1 "State dict"."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from likeness.methods.emojidiff.adapter import parse
from likeness.methods.emojidiff.kinds import FORMAT, TEMPLATE, described_layers
from likeness.weights.read import tensors_under
from likeness.weights.write import write_tensors

from ..reading import read
from .lesson import IMAGE_PROJ, IP_ADAPTER, EmojiLesson


def export(lesson: EmojiLesson, path: Path, clip: str) -> None:
    """A flat .safetensors that Load E-Adapter and IP-Adapter nodes read. There whole or not at all.

    clip: what the file calls the CLIP vision model. What is written is read once first: raises ValueError for
    what would not load, such as NaN.
    """
    flat = {name: value.detach().to("cpu", torch.float32) for name, value in lesson.trained().items()}
    broken = [name for name, value in flat.items() if not value.isfinite().all()]
    if broken:
        raise ValueError(f"{broken[0]} holds NaN or infinity: no file is written.")
    facts = {"format": FORMAT, "base": lesson.kind, "clip": clip, "template": TEMPLATE}
    facts["layers"] = described_layers(tensors_under(flat, IP_ADAPTER), lesson.kind)
    parse(flat, facts, path.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors({name: value.clone() for name, value in flat.items()}, facts, path)


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
