"""Weights files whose parts claim to be larger than the file: told before they fill the memory."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from typing import Any

import torch

from .catalogue import readable_size

#: torch.save packs nothing, and numbers that somebody packed afterwards hardly shrink.
_PACKED = 4


def check_container(path: str) -> None:
    """Compare what a file's head claims with the file's size; reads no numbers.

    Raises ValueError for an archive that unpacks to more than four times its size. SafetensorError for
    a .safetensors file whose head does not fit it.
    """
    if path.lower().endswith((".safetensors", ".sft")):
        from safetensors import safe_open

        with safe_open(path, framework="pt"):
            return
    if not zipfile.is_zipfile(path):
        return
    size = os.path.getsize(path)
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, OSError) as error:
        raise ValueError(f"its table of contents is damaged: {error}") from error
    if unpacked > _PACKED * size:
        raise ValueError(
            f"it would unpack to {readable_size(unpacked)}, which no weights do: it was not opened"
        )


def check_tensors(content: Mapping[str, Any]) -> None:
    """Refuse tensors that hold fewer numbers than they show: used, a few bytes would become terabytes.

    Looks through nested dicts. Raises ValueError naming the first one.
    """
    waiting: list[tuple[str, Any]] = [("", content)]
    seen: set[int] = set()
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, Mapping):
            if id(value) not in seen:
                seen.add(id(value))
                waiting += [(str(key), inner) for key, inner in value.items()]
        elif isinstance(value, torch.Tensor) and not _whole(value):
            raise ValueError(f"{name} of shape {list(value.shape)} is not stored in full")


def _whole(tensor: torch.Tensor) -> bool:
    if tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized:
        return False
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()
