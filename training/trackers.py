"""Where the numbers of a run go: a file always, TensorBoard and Weights & Biases if asked for."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

NAMES = ("tensorboard", "wandb")
FILE = "log.jsonl"


class Trackers:
    """`log.jsonl` in the run's folder holds one line a step; what comes after `step` is forgotten.

    names: of NAMES. settings: shown beside the curves. Raises ValueError for a tracker that is not
    installed.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str] = (),
        settings: Mapping[str, Any] | None = None,
        step: int = 0,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / FILE
        _forget_after(self._path, step)
        self._board = self._wandb = None
        if "tensorboard" in names:
            writer = _needed("torch.utils.tensorboard", "tensorboard").SummaryWriter
            self._board = writer(str(folder / "tensorboard"), purge_step=step or None)
        if "wandb" in names:
            self._wandb = _needed("wandb", "wandb").init(
                project="likeness", dir=str(folder), name=folder.name, config=dict(settings or {})
            )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)
        if self._wandb is not None:
            self._wandb.log(dict(values), step=step)

    def close(self) -> None:
        if self._board is not None:
            self._board.close()
        if self._wandb is not None:
            self._wandb.finish()


def read_log(folder: Path) -> list[dict[str, float]]:
    """All lines of a run's file."""
    path = folder / FILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines]


def _forget_after(path: Path, step: int) -> None:
    """A run that broke between two checkpoints does some steps again."""
    kept = [line for line in read_log(path.parent) if line["step"] <= step] if step else []
    path.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")


def _needed(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ValueError(f"--log-to {package} needs a package: pip install {package}. ({error})") from error
