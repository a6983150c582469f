"""`python -m batch merge DIR`: the ranges of a batch that others drew become one batch.

Each range has an output folder with a ledger of its own, in DIR/ranges. Their rows go into DIR's ledger and
their files beside it, by links where the disk has them. Doing it again adds what has ended since.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import lock, manifest
from .filelock import FileLock
from .ledger import ENDED, NAME, Ledger, LedgerError
from .records import Record, Records

RANGES = "ranges"
#: The place of a job's state in a line of the ledger.
_STATE = 5


class MergeError(ValueError):
    """Ranges that can't be one batch; the message says which and why."""


@dataclass(frozen=True)
class Merged:
    """ranges: folders that were joined. ended, open: drawings that ended, and that did not yet.

    other: how locks differ from the first range's, a line each.
    """

    ranges: tuple[str, ...]
    ended: int
    open: int
    other: tuple[str, ...]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("merge", help="join the ranges that a farm drew into one batch")
    parser.add_argument("folder", type=Path, metavar="DIR", help=f"the folder that holds {RANGES}/")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """The exit status: 1 while drawings are open."""
    done = merge(options.folder)
    for line in done.other:
        print(line)
    print(f"{len(done.ranges)} ranges: {done.ended} drawings ended, {done.open} are open.")
    return 1 if done.open else 0


def merge(folder: Path) -> Merged:
    """Raises MergeError, LedgerError, WorldError, OSError. Ranges are only read."""
    found = sorted(path.parent for path in (folder / RANGES).glob(f"*/{NAME}"))
    if not found:
        raise MergeError(f"{folder / RANGES} holds no range with a ledger: nothing was drawn there yet.")
    with contextlib.ExitStack() as stack:
        for path in found:
            stack.enter_context(_held(path))
        ranges = [stack.enter_context(Ledger(path)) for path in found]
        other = _compare(found, ranges)
        with Ledger(folder, write=True) as whole:
            for path, ledger in zip(found, ranges, strict=True):
                _check(whole, ledger, path)
                _files(ledger, path, folder)
                _absorb(whole, path / NAME)
            manifest.write(whole, folder)
            lock.write(ranges[0].runs()[-1][2], folder)
            counts = whole.counts()
    ended = sum(count for state, count in counts.items() if state in ENDED)
    return Merged(tuple(path.name for path in found), ended, sum(counts.values()) - ended, tuple(other))


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    """Nobody writes into the range meanwhile."""
    taken = FileLock(path / "ledger.lock")
    if not taken.take():
        raise LedgerError(
            f"The range {path.name} is being drawn ({taken.holder()}). Merge when it has ended."
        )
    try:
        yield
    finally:
        taken.free()


def _compare(found: Sequence[Path], ranges: Sequence[Ledger]) -> list[str]:
    """How locks differ. Raises MergeError for another workflow."""
    said: list[str] = []
    first = None
    for path, ledger in zip(found, ranges, strict=True):
        runs = ledger.runs()
        if not runs:
            raise MergeError(f"The range {path.name} has a ledger but no run. Draw it again.")
        _, workflow, locked, _ = runs[-1]
        text = json.dumps(workflow, sort_keys=True)
        first = first or (path.name, text, locked)
        if text != first[1]:
            raise MergeError(
                f"The ranges {first[0]} and {path.name} were drawn by different workflows: they are no batch."
            )
        said += [f"{path.name}: {line}" for line in lock.differences(first[2], locked)]
    return said


def _check(whole: Records, ledger: Records, path: Path) -> None:
    """The same drawing in two ranges must be the same files."""
    for job in ledger.records("done"):
        known = whole.record(job.id)
        if known is not None and known.state == "done" and _sums(whole, known) != _sums(ledger, job):
            raise MergeError(
                f"Row {job.row} was drawn twice, and differently in the range {path.name}. Take one of "
                "the two ranges out of the folder."
            )


def _sums(ledger: Records, job: Record) -> list[str]:
    return [output.sha256 for output in ledger.outputs(job.id)]


def _files(ledger: Records, source: Path, target: Path) -> None:
    """Raises MergeError for a file that is gone or is not what the ledger says."""
    for job in ledger.records(*ENDED):
        for output in ledger.outputs(job.id):
            here, there = source / output.name, target / output.name
            if there.is_file():
                continue
            if not here.is_file() or hashlib.sha256(here.read_bytes()).hexdigest() != output.sha256:
                raise MergeError(
                    f"{here} is gone or damaged. Run the range {source.name} again: it draws what is missing."
                )
            there.parent.mkdir(parents=True, exist_ok=True)
            part = there.with_name(f"{there.name}.part")
            part.unlink(missing_ok=True)
            try:
                os.link(here, part)
            except OSError:
                shutil.copyfile(here, part)  # another disk, or one without links
            part.replace(there)


def _absorb(whole: Ledger, path: Path) -> None:
    """All rows of a ledger, in one step; of a drawing known already, the one that got further.

    Who tried a failed row again and drew it got further.
    """
    with whole.change() as base:
        other = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            runs = [row for row in other.execute("SELECT * FROM run") if not _has_run(base, row)]
            base.executemany(
                "INSERT INTO run (workflow, lock, started) VALUES (?, ?, ?)", [row[1:] for row in runs]
            )
            _insert(base, "source", other.execute("SELECT * FROM source").fetchall())
            jobs = other.execute("SELECT * FROM job").fetchall()
            news = [row for row in jobs if _further(row) > _known(base, row)]
            _insert(base, "job", news)
            ids = {row[:3] for row in news}
            outputs = other.execute("SELECT * FROM output").fetchall()
            _insert(base, "output", [row for row in outputs if row[:3] in ids])
        finally:
            other.close()


def _insert(base: sqlite3.Connection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        base.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows)


def _has_run(base: sqlite3.Connection, row: tuple[object, ...]) -> bool:
    found = base.execute("SELECT 1 FROM run WHERE lock = ? AND started = ?", (row[2], row[3]))
    return found.fetchone() is not None


def _known(base: sqlite3.Connection, row: tuple[object, ...]) -> int:
    """How far the same drawing got that is known already; -1 for none."""
    text = "SELECT * FROM job WHERE key = ? AND repeat = ? AND attempt = ?"
    found = base.execute(text, row[:3]).fetchone()
    return -1 if found is None else _further(found)


def _further(row: tuple[object, ...]) -> int:
    """0 still waits, 1 failed, 2 has its files."""
    state = row[_STATE]
    return 0 if state not in ENDED else 2 if state in ("done", "rejected") else 1
