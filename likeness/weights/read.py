"""Reading weight files that people point at by mistake."""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Mapping
from typing import Any

import torch

from .sound import check_container, check_tensors

#: What the readers of torch, safetensors and the host raise over damaged files, beside SafetensorError.
_DAMAGED = (
    RuntimeError,
    ValueError,
    OSError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
    AssertionError,
    struct.error,
)
_LONGEST = 160


def read_weights(path: str, whole: bool = False, alone: str = "") -> tuple[Mapping[str, Any], dict[str, str]]:
    """(tensors or dicts of tensors, metadata) of a .safetensors or pickled file, weights only.

    whole: also what lies beside a `state_dict`, which is left out else. alone: what to call a tensor that has
    no name, where a file may be one.
    Raises ValueError naming the file when it is truncated, not a weights file, claims more than it holds, or
    holds no mapping.
    """
    from safetensors import SafetensorError

    from .. import host

    name, size = os.path.basename(path), os.path.getsize(path)
    try:
        check_container(path)
        load = host.files.load_archive if whole else host.files.load_tensors
        content, metadata = load(path)
        if alone and isinstance(content, torch.Tensor):
            content = {alone: content}
        if isinstance(content, Mapping):
            check_tensors(content)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{name} holds more than tensors and was not opened, since such files can run code. "
            f"Use a .safetensors version of it. ({path})"
        ) from error
    except (SafetensorError, *_DAMAGED) as error:
        raise ValueError(
            f"{name} can't be read as weights ({size:,} bytes): the download is incomplete, or it is "
            f"another kind of file ({_in_short(error)}). Delete it and download it again. ({path})"
        ) from error
    if not isinstance(content, Mapping):
        raise ValueError(f"{name} holds no named tensors but a {type(content).__name__}. ({path})")
    if not all(isinstance(key, str) for key in content):
        raise ValueError(f"{name} holds tensors under numbers instead of names. ({path})")
    return content, metadata


def _in_short(error: BaseException) -> str:
    """The first line of what a reader says, which can be a page long."""
    line = next(iter(str(error).strip().splitlines()), "")
    return line[:_LONGEST] or type(error).__name__


def tensors_under(content: Mapping[str, Any], part: str) -> dict[str, torch.Tensor]:
    """The tensors of `part`, whether the file nests them in a dict or prefixes their names."""
    nested = content.get(part)
    if isinstance(nested, Mapping):
        return {
            key: value
            for key, value in nested.items()
            if isinstance(key, str) and isinstance(value, torch.Tensor)
        }
    prefix = part + "."
    return {
        key[len(prefix) :]: value
        for key, value in content.items()
        if key.startswith(prefix) and isinstance(value, torch.Tensor)
    }
