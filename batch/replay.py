"""`python -m batch replay ROW DIR`: one drawing again, from what the ledger and the lock say of it."""

from __future__ import annotations

import argparse
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from . import lock, outputs
from .booted import Booted, first_ready, model_digests
from .checks import Checker
from .ledger import Ledger
from .options import add_host_options, cards, comfyui, host_settings
from .plan import Plan, all_models
from .pool import Pool
from .pool_local import LocalPool
from .progress import counted
from .records import Output, Record, Source
from .values import Died, Job, Outcome, Picture, Row, WorldError

#: Where the new pictures are put, in the batch's folder.
REPLAYED = "replayed"
#: What a lock says that decides nothing about pictures.
_ABOUT = ("command", "identity")


class ReplayError(ValueError):
    """The row can't be drawn again as it was; the message says why."""


@dataclass(frozen=True)
class Compared:
    """A file again. most, mean: how far pixels are off, in levels of 255; None for no such picture."""

    name: str
    equal: bool
    most: int | None = None
    mean: float | None = None

    def __str__(self) -> str:
        if self.equal:
            return f"{self.name}: equal to the bit"
        if self.most is None:
            return f"{self.name}: another file, which can't be compared as a picture of the same size"
        if not self.most:
            return f"{self.name}: equal pixels, in a file that is written otherwise"
        return f"{self.name}: off by {self.most} of 255 levels at most, {self.mean:.3f} in the mean"


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("replay", help="draw one row again and say whether it is the same")
    parser.add_argument("row", type=int, metavar="ROW", help="its number in the table, from 1")
    parser.add_argument("folder", type=Path, metavar="DIR", help="the --out of the run")
    parser.add_argument(
        "--repeat", type=int, default=1, metavar="N", help="which of its repeats, from 1. Default: the first"
    )
    parser.add_argument(
        "--try",
        dest="attempt",
        type=int,
        default=0,
        metavar="N",
        help="which of the judge's tries, from 1. Default: the accepted one, or the last",
    )
    add_host_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """0 when all files are equal to the bit, else 1. Raises ReplayError, LedgerError, WorldError."""
    with Ledger(options.folder) as ledger:
        record = _record(ledger, options.row, options.repeat - 1, options.attempt - 1)
        source, before = ledger.source(record.key), ledger.outputs(record.id)
        _, prompt, locked, _ = ledger.runs()[-1]
    if source is None:
        raise ReplayError(f"The ledger does not know what row {record.row} held.")
    if options.threads is None:
        options.threads = locked.get("command", {}).get("threads")  # sums on a processor depend on it
    pool = LocalPool(host_settings(options, 1), 1, cards(options))
    try:
        pool.start()
        booted = first_ready(pool, options.boot_timeout)
        plan = _plan(prompt, source, pool, booted)
        now = lock.describe(host_settings(options, 1).command, booted.stats, plan.models, comfyui(options))
        for line in _differences(locked, now):
            print(line)
        job = plan.job(next(iter(plan.places)), record.repeat, record.attempt, record.seed)
        outcome = _draw(pool, booted, job, plan.files(job))
    finally:
        pool.stop(True)
    named = replace(job, key=record.key)
    outputs.save(options.folder, named, outcome.pictures, REPLAYED)
    found = compare(options.folder, before, named, outcome.pictures)
    print("\n".join(map(str, found)))
    print(f"The new files are in {options.folder / REPLAYED}.")
    return 0 if all(one.equal for one in found) else 1


def _record(ledger: Ledger, row: int, repeat: int, attempt: int) -> Record:
    """The drawing that is meant; of several tries the accepted one, else the last that was drawn."""
    there = [r for r in ledger.records("done", "rejected") if r.row == row and r.repeat == repeat]
    wanted = [r for r in there if attempt < 0 or r.attempt == attempt]
    if not wanted:
        said = [r for r in ledger.records() if r.row == row]
        raise ReplayError(
            f"Row {row} has no such drawing. "
            + (f"It is {said[0].state}. {said[0].error}" if said else "The batch has no row of that number.")
        )
    return max(wanted, key=lambda r: (r.state == "done", r.attempt))


def _plan(prompt: dict[str, Any], source: Source, pool: Pool, booted: Booted) -> Plan:
    """The row alone, with the files it had. Raises ReplayError for what is not there any more."""
    values = {**source.values, **{column: file["path"] for column, file in source.files.items()}}
    checker = Checker(prompt, booted.info, Path())
    checked, faults = checker.rows([Row(source.row, values)])
    if faults:
        raise ReplayError("\n".join(map(str, faults)))
    for column, file in checked[0].files.items():
        if file.sha256 != source.files[column]["sha256"]:
            raise ReplayError(f"{file.path} ({column}) is another file than the one that was drawn from.")
    models = model_digests(pool, booted, all_models(prompt, checked))
    return Plan(prompt, checked, {}, checker.seeds(), 1, models, booted.versions)


def _differences(locked: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is other today; models that only other rows use are none of it."""
    before = {name: value for name, value in locked.items() if name not in _ABOUT}
    models = {name: digest for name, digest in before.get("models", {}).items() if name in now["models"]}
    return lock.differences({**before, "models": models}, now)


def _draw(pool: Pool, booted: Booted, job: Job, files: Mapping[str, bytes]) -> Outcome:
    pool.submit(booted.worker, job, files)
    while True:
        for event in pool.poll(1.0):
            if isinstance(event, Outcome) and event.state == "done":
                return event
            if isinstance(event, Outcome):
                raise ReplayError(f"{event.node}: {event.error}" if event.node else event.error)
            if isinstance(event, Died):
                raise WorldError(event.why)


def compare(folder: Path, before: Sequence[Output], job: Job, pictures: Sequence[Picture]) -> list[Compared]:
    """Each new file beside the one that was kept. Raises ReplayError when it is another number of files."""
    if len(before) != len(pictures):
        raise ReplayError(f"It gave {counted(len(before), 'file')}, and now it gives {len(pictures)}.")
    known = {Path(output.name).name: output for output in before}
    found = []
    for name, picture in zip(outputs.file_names(job, pictures), pictures, strict=True):
        output = known.get(name)
        if output is not None and output.sha256 == hashlib.sha256(picture.data).hexdigest():
            found.append(Compared(name, True))
        else:
            found.append(_apart(name, folder / output.name if output else None, picture))
    return found


def _apart(name: str, kept: Path | None, picture: Picture) -> Compared:
    if picture.kind != "image" or kept is None or not kept.is_file():
        return Compared(name, False)
    with Image.open(kept) as old, Image.open(io.BytesIO(picture.data)) as new:
        if old.size != new.size or old.mode != new.mode:
            return Compared(name, False)
        off = np.abs(np.asarray(old, dtype=np.int16) - np.asarray(new, dtype=np.int16))
    return Compared(name, False, int(off.max()), float(off.mean()))
