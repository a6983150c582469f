"""Reading weight files that people point at by mistake."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from typing import Any

import torch


def read_weights(path: str) -> tuple[Mapping[str, Any], dict[str, str]]:
    """(tensors or dicts of tensors, metadata) of a .safetensors or pickled file, weights only.

    Raises ValueError naming the file when it is truncated, not a weights file, or holds no mapping.
    """
    from safetensors import SafetensorError

    from .. import host

    name, size = os.path.basename(path), os.path.getsize(path)
    try:
        content, metadata = host.load_tensors(path)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{name} holds more than tensors and was not opened, since such files can run code. "
            f"Use a .safetensors version of it. ({path})"
        ) from error
    except (SafetensorError, RuntimeError, ValueError, EOFError, KeyError, TypeError) as error:
        raise ValueError(
            f"{name} can't be read as weights ({size:,} bytes): the download is incomplete, or it is "
            f"another kind of file. Delete it and download it again. ({path})"
        ) from error
    if not isinstance(content, Mapping):
        raise ValueError(f"{name} holds no named tensors but a {type(content).__name__}. ({path})")
    return content, metadata


def tensors_under(content: Mapping[str, Any], part: str) -> dict[str, torch.Tensor]:
    """The tensors of `part`, whether the file nests them in a dict or prefixes their names."""
    nested = content.get(part)
    if isinstance(nested, Mapping):
        return {key: value for key, value in nested.items() if isinstance(value, torch.Tensor)}
    prefix = part + "."
    return {
        key[len(prefix) :]: value
        for key, value in content.items()
        if key.startswith(prefix) and isinstance(value, torch.Tensor)
    }
