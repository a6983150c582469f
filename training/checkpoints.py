"""What a broken-off run goes on from: learnt tensors, the optimiser, the step, and what was asked for."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

_NAME = re.compile(r"step_(\d{8})")
_WEIGHTS, _OPTIMISER, _STATE = "weights.safetensors", "optimiser.pt", "state.json"


@dataclass(frozen=True, eq=False)
class Saved:
    """One checkpoint in memory, on the CPU."""

    step: int
    tensors: Mapping[str, torch.Tensor]
    optimiser: Mapping[str, Any]
    settings: Mapping[str, Any]


def save(
    folder: Path,
    step: int,
    tensors: Mapping[str, torch.Tensor],
    optimiser: Mapping[str, Any],
    settings: Mapping[str, Any],
    keep: int,
) -> Path:
    """A folder `step_00001000`, there whole or not at all; older ones beyond `keep` are deleted.

    Raises ValueError for NaN or infinity, before anything is written.
    """
    from safetensors.torch import save_file

    broken = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if broken:
        raise ValueError(f"{broken[0]} holds NaN or infinity at step {step}: it is not saved.")
    unfinished, finished = folder / f"step_{step:08}.part", folder / f"step_{step:08}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(plain, unfinished / _WEIGHTS)
    torch.save(dict(optimiser), unfinished / _OPTIMISER)
    state = json.dumps({"step": step, "settings": settings}, indent=1)
    (unfinished / _STATE).write_text(state, encoding="utf-8")
    shutil.rmtree(finished, ignore_errors=True)
    os.replace(unfinished, finished)
    for old in _all(folder)[: -max(keep, 1)]:
        shutil.rmtree(old)
    return finished


def latest(folder: Path) -> Path | None:
    found = _all(folder)
    return found[-1] if found else None


def read(path: Path) -> Saved:
    """Raises ValueError naming the folder when it is damaged."""
    from pickle import UnpicklingError

    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = json.loads((path / _STATE).read_text(encoding="utf-8"))
        optimiser = torch.load(path / _OPTIMISER, map_location="cpu", weights_only=True)
        return Saved(state["step"], load_file(path / _WEIGHTS), optimiser, state["settings"])
    except (OSError, ValueError, KeyError, RuntimeError, EOFError, UnpicklingError, SafetensorError) as error:
        raise ValueError(
            f"The checkpoint {path} can't be read: delete its folder to go on from an older one. ({error})"
        ) from error


def check_same(saved: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Raises ValueError naming what differs: a run goes on as it began, or it is another run."""
    differing = [key for key in {**saved, **asked} if saved.get(key) != asked.get(key)]
    if differing:
        changes = "; ".join(f"{key} was {saved.get(key)!r}, is {asked.get(key)!r}" for key in differing)
        raise ValueError(
            f"The folder holds a run with other settings: {changes}. Give the same, or another --output."
        )


def _all(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name) and path.is_dir())
