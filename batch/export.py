"""`python -m batch export DIR`: what was begun here, as a job for a farm that is not Ray's.

DIR is the output folder of a run, of a few rows at least: its lock knows the command. A farm's tasks run the
same command on ranges of rows, each into a folder and a ledger of its own in DIR/ranges; the last one merges.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import export_openjd, export_slurm
from .graph import read_workflow
from .ledger import Ledger
from .lock import PACK
from .merge import RANGES
from .progress import counted
from .rows import read_rows
from .run_options import add_run_options, photo_column

#: Options of a run that its tasks get in another way, or not at all.
_OWN = {"workflow", "rows", "out", "range", "workers", "address", "local", "json", "dry_run", "python"}
_OWN |= {"dashboard", "again"}


class ExportError(ValueError):
    """It can't be exported; the message says why and what to do."""


@dataclass(frozen=True)
class Farm:
    """What a task needs: rows in all and per task, folders and files (absolute), and the run's options."""

    name: str
    rows: int
    per_task: int
    python: str
    workflow: Path
    table: Path
    out: Path
    options: tuple[str, ...]

    @property
    def tasks(self) -> int:
        return -(-self.rows // self.per_task)

    @property
    def pack(self) -> Path:
        return PACK

    def arguments(self, workflow: str, table: str, out: str, first: str, count: str) -> list[str]:
        """The task's words after the Python, with whatever the farm writes for its own variables."""
        words = ["-m", "batch", "run", workflow, "--rows", table, "--out", f"{out}/{RANGES}/{first}"]
        return [*words, "--range", f"{first}+{count}", "--local", "--workers", "1", *self.options]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("export", help="write the batch as a job for another farm")
    parser.add_argument("folder", type=Path, metavar="DIR", help="the --out of a run, of some rows at least")
    ways = parser.add_mutually_exclusive_group(required=True)
    ways.add_argument(
        "--openjd", type=Path, metavar="FOLDER", help="write an Open Job Description bundle into this folder"
    )
    ways.add_argument(
        "--slurm", type=Path, metavar="FOLDER", help="write scripts for Slurm's sbatch into this folder"
    )
    parser.add_argument(
        "--rows-per-task", type=int, default=0, metavar="N", help="rows a task. Default: a hundredth of all"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Raises ExportError, LedgerError, OSError."""
    farm = read(options.folder, options.rows_per_task)
    if options.openjd is not None:
        said = export_openjd.write(farm, options.openjd)
    else:
        said = export_slurm.write(farm, options.slurm)
    print(f"{counted(farm.rows, 'row')} in {counted(farm.tasks, 'task')} of {farm.per_task}.\n{said}")
    return 0


def read(folder: Path, per_task: int = 0) -> Farm:
    """The farm's job of a run's folder. per_task: 0 for a hundredth of all rows."""
    with Ledger(folder) as ledger:
        runs = ledger.runs()
    command: dict[str, Any] = runs[-1][2].get("command", {}) if runs else {}
    if not command:
        raise ExportError(f"{folder} does not say how it was run. Run at least one row with this version.")
    if per_task < 0:
        raise ExportError(f"--rows-per-task must be 1 or more, not {per_task}.")
    workflow, table = Path(command["workflow"]), Path(command["rows"])
    options = argparse.Namespace(**{**command, "rows": table})
    rows = len(read_rows(table, photo_column(read_workflow(workflow), options)))
    return Farm(
        f"{workflow.stem} over {table.name}",
        rows,
        per_task or max(1, -(-rows // 100)),
        command["python"],
        workflow,
        table,
        folder.resolve(),
        tuple(_options(command)),
    )


def _options(command: Mapping[str, Any]) -> list[str]:
    """The run's options that hold for its tasks too, as words."""
    parser = argparse.ArgumentParser()
    add_run_options(parser)
    words: list[str] = []
    for name, value in command.items():
        if name in _OWN or value == parser.get_default(name):
            continue
        option = f"--{name.replace('_', '-')}"
        # One word each: a value such as "--lowvram" would be taken for an option.
        words.append(option if value is True else f"{option}={value}")
    return words
