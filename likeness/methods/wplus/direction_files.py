"""Files of directions, in the layouts that are about. Spec: adapters.md 3.4, fact_wplus.md B.8.

JSON: `{name: [18][512]}` (PreciseControl's). numpy and torch: one direction [512], [1, 512] or [18, 512],
named after its file (InterFaceGAN's, latent directions); `mean`, `comp`, `std`: principal components
(GANSpace's), named pc0, pc1, ... safetensors: a tensor for each direction, or those three.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ... import host
from ...choices.wplus import DIRECTION, DIRECTION_NAMES, DIRECTIONS, SKIN_TONES
from ...weights.chosen import find_chosen
from ...weights.read import read_weights
from .directions import Direction

_COMPONENTS = ("mean", "comp", "std")
_COMPONENT = re.compile(r"pc(\d{1,5})")
#: Bytes of a JSON file. The published one, 20 directions, has 4 MB.
_LARGEST = 1 << 28


def fingerprint(file: str | None) -> str:
    """Changes when the file does, so that the host reads it again."""
    return host.files.fingerprint(DIRECTIONS, file)


def load(file: str, name: str = "") -> Direction:
    """A direction of models/wplus_directions/`file`. name: which; empty for the only one of its file.

    PreciseControl's go by their keys, and by their names as people read them.

    Raises MissingModel, or ValueError for another file or a name that is not in it.
    """
    path = Path(find_chosen(DIRECTIONS, file, DIRECTION))
    content = _read(path)
    name = name.strip()
    if all(part in content for part in _COMPONENTS):
        return _component(content, name, path.name)
    names = [key for key, value in content.items() if isinstance(value, list | torch.Tensor)]
    if not name and len(names) == 1:
        name = names[0]
    key = name if name in names else _key(name, names)
    if key is None:
        asked = f"has no direction {name!r}" if name else "holds several directions: choose one"
        raise ValueError(f"{path.name} {asked}. {_listed(names)}")
    try:
        return Direction(key, torch.as_tensor(content[key]), source=path.name)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path.name} can't be used: {error}") from error


def _key(name: str, names: Sequence[str]) -> str | None:
    """The key of a name as people read it; None for another."""
    read = {**DIRECTION_NAMES, **SKIN_TONES}
    return next((key for key in names if read.get(key) == name.lower()), None)


def _listed(names: Sequence[str]) -> str:
    """What a file holds, in a sentence: keys, and what they mean where they do not say it."""
    tones = [key for key in names if key in SKIN_TONES]
    shown = [
        key if DIRECTION_NAMES.get(key, key) == key else f"{key} ({DIRECTION_NAMES[key]})"
        for key in names
        if key not in tones
    ]
    apart = f" Skin tones, learned from labels of skin colour: {', '.join(tones)}." if tones else ""
    return f"There are: {', '.join(shown) or 'none'}.{apart}"


def _read(path: Path) -> Mapping[str, Any]:
    if path.suffix.lower() == ".json":
        return _json(path)
    if path.suffix.lower() == ".npy":
        return {path.stem: _numpy(path)}
    content, _ = read_weights(str(path), whole=True, alone=path.stem)
    return content


def _json(path: Path) -> Mapping[str, Any]:
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"{path.name} is too large for directions: the published file has 4 MB.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is no JSON, or is cut short: download it again.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} holds no named directions: it should be {{name: 18 rows of 512}}.")
    return content


def _numpy(path: Path) -> torch.Tensor:
    import numpy as np

    try:
        found = np.load(path, allow_pickle=False)
        return torch.from_numpy(np.asarray(found, dtype=np.float32))
    except (ValueError, EOFError, OSError, TypeError, MemoryError) as error:
        raise ValueError(f"{path.name} is no numpy file of numbers, or is cut short.") from error


def _component(content: Mapping[str, Any], name: str, file: str) -> Direction:
    try:
        mean, comp, std = (
            torch.as_tensor(content[part]).detach().to("cpu", torch.float32) for part in _COMPONENTS
        )
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"{file} is damaged: mean, comp and std are no tables of numbers.") from error
    match, count = _COMPONENT.fullmatch(name), len(comp) if comp.ndim else 0
    if match is None or int(match[1]) >= count:
        raise ValueError(
            f"{file} holds {count} principal components and none called {name!r}: write pc0 to pc{count - 1}."
        )
    number = int(match[1])
    if mean.numel() != 512 or comp[number].numel() != 512 or std.numel() != count:
        raise ValueError(f"{file} is damaged: its mean, comp and std do not fit each other.")
    deviation = float(std.flatten()[number])
    if not mean.isfinite().all() or not 0 < deviation < float("inf"):
        raise ValueError(f"{file} is damaged: it holds NaN, infinity, or a deviation of {deviation:g}.")
    return Direction(name, comp[number].reshape(1, -1), mean.flatten(), deviation, file)
