"""Adapter files out of a lesson, in InstantID's layout, and back."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from likeness.adapters.layers import AdapterLayers
from likeness.adapters.projectors import Resampler
from likeness.weights.read import tensors_under
from likeness.weights.write import write_tensors

from ..reading import read
from .lesson import IMAGE_PROJ, IP_ADAPTER, AdapterLesson

#: The two parts of a file, as published and as a training leaves them.
_PARTS = {IMAGE_PROJ: "image_proj_model", IP_ADAPTER: "adapter_modules"}


def export(lesson: AdapterLesson, path: Path, recogniser: str) -> None:
    """A file for Load InstantID, there whole or not at all. recogniser: whose vectors it understands.

    What is written is read once first: raises ValueError for what would not load, such as NaN.
    """
    named = {name: value.detach().float().cpu().clone() for name, value in lesson.trained().items()}
    broken = [name for name, value in named.items() if not value.isfinite().all()]
    if broken:
        raise ValueError(f"{broken[0]} holds NaN or infinity: no file is written.")
    projector = Resampler.build(tensors_under(named, IMAGE_PROJ))
    AdapterLayers.parse(tensors_under(named, IP_ADAPTER), projector.token_width, path.name)
    facts = {"recogniser": recogniser, "base": lesson.kind, "made_by": "training.adapter"}
    write_tensors(named, facts, path)


def read_adapter(path: Path) -> dict[str, Tensor]:
    """The tensors of InstantID's adapter or one like it, flat, to go on from. Raises ValueError."""
    content = read(path)
    found: dict[str, Tensor] = {}
    for part, other in _PARTS.items():
        under = tensors_under(content, part) or tensors_under(content, other)
        if not under:
            raise ValueError(f"--start {path} is no adapter of InstantID's kind: it has no {part}.")
        found |= {f"{part}.{name}": value for name, value in under.items()}
    return found
