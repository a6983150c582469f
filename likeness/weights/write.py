"""Writing files of our own: under the next free number, and whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch


def numbered(directory: str, filename_prefix: str, what: str) -> Path:
    """Where to write: filename_prefix with the next free number, in a host folder that is made if need be.

    what: the thing's name for messages ("identity"). Raises ValueError for a prefix that is empty or leads
    out of the folder.
    """
    from .. import host

    parts = Path(filename_prefix.replace("\\", "/")).parts
    if not filename_prefix.strip() or filename_prefix.endswith(("/", "\\")):
        raise ValueError(f"filename_prefix is empty: give the {what} a name, such as anna or family/anna.")
    if Path(filename_prefix).is_absolute() or ".." in parts or ":" in filename_prefix:
        raise ValueError(f"filename_prefix {filename_prefix!r} leads out of {directory}.")
    folder, name, number = host.files.next_number(directory, filename_prefix)
    return Path(folder) / f"{name}_{number:05}_.safetensors"


def write_tensors(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str], path: str | Path) -> None:
    """A safetensors file, which appears under its name only when it is complete."""
    from safetensors.torch import save_file

    unfinished = Path(f"{path}.{os.getpid()}.part")
    try:
        save_file({key: value.contiguous() for key, value in tensors.items()}, unfinished, dict(metadata))
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
