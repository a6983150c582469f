"""Tensors that take minutes to make of pictures and a network: made once, then read from the cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from .pictures import world


def kept(
    cache: Path, kind: str, name: str, make: Callable[[], torch.Tensor], made_by: Iterable[torch.Tensor] = ()
) -> torch.Tensor:
    """What `make` gives. kind, name: folder and file; made_by: weights that it depends on, as on the
    world."""
    digest = hashlib.sha256()
    for tensor in made_by:
        digest.update(tensor.contiguous().numpy().tobytes())
    file = cache / kind / f"{name}-{world()}-{digest.hexdigest()[:16]}.pt"
    if file.is_file():
        known: torch.Tensor = torch.load(file, weights_only=True)
        return known
    made = make()
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    torch.save(made, part)
    os.replace(part, file)
    return made
