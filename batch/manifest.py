"""manifest.jsonl: a line for each job that ended, for whoever works on with the pictures.

Written from the ledger, which stays the only truth: begun anew when a run begins, so that a line that a
killed driver wrote by half or twice is gone, and longer by a line whenever a job ends.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from .ledger import ENDED
from .records import Record, Records
from .values import WorldError

NAME = "manifest.jsonl"


def entry(ledger: Records, job: Record) -> dict[str, Any]:
    """What the manifest says of a job that ended."""
    source = ledger.source(job.key)
    outputs = [
        {"file": o.name, "sha256": o.sha256, "bytes": o.bytes, "node": o.node}
        | ({"judged": dict(o.judged)} if o.judged is not None else {})
        for o in ledger.outputs(job.id)
    ]
    said: dict[str, Any] = {
        "row": job.row,
        "repeat": job.repeat,
        "attempt": job.attempt,
        "state": job.state,
        "key": job.key,
        "seed": job.seed,
        "values": dict(source.values) if source else {},
        "files": {name: file["sha256"] for name, file in source.files.items()} if source else {},
        "outputs": outputs,
        "seconds": job.seconds,
        "timings": dict(job.timings),
        "worker": job.worker,
        "device": job.device,
        "tries": job.tries,
        "worker_deaths": job.worker_deaths,
        "ended": job.ended,
    }
    if job.judged is not None:
        said["judged"] = dict(job.judged)
    if job.error:
        said |= {"error": job.error, "node": job.node}
    return said


def lines(ledger: Records) -> Iterator[str]:
    """All lines, in the order of rows, repeats and attempts."""
    for job in ledger.records(*ENDED):
        yield json.dumps(entry(ledger, job), ensure_ascii=False) + "\n"


def write(ledger: Records, folder: Path) -> Path:
    """The whole manifest, in one step. Raises OSError."""
    path, part = folder / NAME, folder / f"{NAME}.part"
    try:
        with part.open("w", encoding="utf-8") as file:
            file.writelines(lines(ledger))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return path


class Manifest:
    """`with Manifest(ledger, folder) as manifest:`, and `add` for each job that ends. Raises WorldError.

    Lines come in the order in which jobs end; leaving writes them once more, in the order of rows.
    """

    def __init__(self, ledger: Records, folder: Path) -> None:
        self._ledger, self._folder = ledger, folder
        self._file: TextIO | None = None

    def __enter__(self) -> Manifest:
        with self._disk():
            self._file = write(self._ledger, self._folder).open("a", encoding="utf-8")
        return self

    def add(self, job: tuple[str, int, int]) -> None:
        record = self._ledger.record(job)
        if record is None or record.state not in ENDED or self._file is None:
            raise ValueError(f"The job {job} has not ended, or the manifest is not open.")
        with self._disk():
            self._file.write(json.dumps(entry(self._ledger, record), ensure_ascii=False) + "\n")
            self._file.flush()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # After a failure its own sentence counts; the next run writes the manifest anew.
        quiet = contextlib.suppress(WorldError) if kind is not None else contextlib.nullcontext()
        with quiet, self._disk():
            file, self._file = self._file, None
            if file is not None:
                file.close()
            write(self._ledger, self._folder)

    @contextlib.contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise WorldError(f"{self._folder / NAME} can't be written: {error.strerror or error}.") from error
