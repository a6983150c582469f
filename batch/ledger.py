"""The ledger: an SQLite file beside the output, the only truth about what is drawn.

One process writes it (a lock on a file beside it, which the system frees however the process ends); any may
read. Every change is one transaction that is on the disk when the method returns.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .filelock import FileLock
from .records import JobId, Output, Record, Records, Source
from .values import Outcome, WorldError

NAME = "ledger.sqlite"
#: States that need no further work.
ENDED = ("done", "failed", "quarantined", "rejected")

__all__ = ["ENDED", "NAME", "JobId", "Ledger", "LedgerError", "Output", "Record", "Source"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (
    id INTEGER PRIMARY KEY, workflow TEXT NOT NULL, lock TEXT NOT NULL, started REAL NOT NULL);
CREATE TABLE IF NOT EXISTS source (
    key TEXT PRIMARY KEY, row INTEGER NOT NULL, value TEXT NOT NULL, files TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS job (
    key TEXT NOT NULL, repeat INTEGER NOT NULL, attempt INTEGER NOT NULL, row INTEGER NOT NULL,
    seed INTEGER, state TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
    worker_deaths INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '', node TEXT NOT NULL DEFAULT '',
    seconds REAL, worker TEXT NOT NULL DEFAULT '', device TEXT NOT NULL DEFAULT '',
    timings TEXT NOT NULL DEFAULT '{}', judged TEXT, ended REAL,
    PRIMARY KEY (key, repeat, attempt)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS job_state ON job (state);
CREATE INDEX IF NOT EXISTS job_row ON job (row, repeat, attempt);
CREATE TABLE IF NOT EXISTS output (
    key TEXT NOT NULL, repeat INTEGER NOT NULL, attempt INTEGER NOT NULL, name TEXT NOT NULL,
    sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, node TEXT NOT NULL, judged TEXT,
    PRIMARY KEY (key, repeat, attempt, name)) WITHOUT ROWID;
"""


class LedgerError(RuntimeError):
    """There is no ledger, another driver writes it, or it is of another workflow; the message says which."""


class Ledger(Records):
    """`with Ledger(folder, write=True) as ledger:`. Readers see what is written at once."""

    def __init__(self, folder: Path, write: bool = False) -> None:
        self.folder = folder
        self.path = folder / NAME
        self._lock: FileLock | None = None
        if write:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(folder / "ledger.lock")
            if not self._lock.take():
                raise LedgerError(
                    f"Another run is writing into {folder} ({self._lock.holder() or 'unknown'}). "
                    "Wait for it or stop it, or give another --out."
                )
        elif not self.path.is_file():
            raise LedgerError(f"{folder} holds no ledger ({NAME}): no batch was run into it.")
        try:
            self._base = self._open(write)
        except BaseException:
            if self._lock is not None:
                self._lock.free()
            raise

    def _open(self, write: bool) -> sqlite3.Connection:
        try:
            if not write:
                base = sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True, timeout=30)
                base.execute("SELECT count(*) FROM run")
                return base
            base = sqlite3.connect(self.path, timeout=30, isolation_level=None)
            base.execute("PRAGMA journal_mode=WAL")
            base.execute("PRAGMA synchronous=FULL")
            base.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}COMMIT;")  # whole or not, for readers
            return base
        except sqlite3.DatabaseError as error:
            raise LedgerError(f"{self.path} can't be read as a ledger: {error}.") from error

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._base.close()
        if self._lock is not None:
            self._lock.free()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """One transaction. A full disk or a folder that is gone is the world's fault."""
        try:
            self._base.execute("BEGIN IMMEDIATE")
            yield self._base
            self._base.execute("COMMIT")
        except sqlite3.Error as error:
            if self._base.in_transaction:
                self._base.execute("ROLLBACK")
            raise WorldError(f"The ledger {self.path} can't be written: {error}.") from error
        except BaseException:
            if self._base.in_transaction:
                self._base.execute("ROLLBACK")
            raise

    # What the driver writes.

    def begin(self, workflow: Mapping[str, Any], lock: Mapping[str, Any]) -> int:
        """Note a run (one per command); its id. lock: what lock.json holds."""
        with self.change() as base:
            values = (json.dumps(workflow), json.dumps(lock), time.time())
            done = base.execute("INSERT INTO run (workflow, lock, started) VALUES (?, ?, ?)", values)
        return int(done.lastrowid or 0)

    def plan(self, sources: Iterable[Source], jobs: Iterable[tuple[str, int, int, int | None]]) -> None:
        """Add what isn't known yet: rows, and their first attempts as (key, repeat, row, seed), waiting.

        What was running when a driver died waits again; what was quarantined is tried once more. Jobs of
        rows that the table lost are taken out if they never ended.
        """
        with self.change() as base:
            base.execute("CREATE TEMP TABLE wanted (key TEXT, repeat INTEGER, PRIMARY KEY (key, repeat))")
            base.executemany(
                "INSERT INTO source (key, row, value, files) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (key) DO UPDATE SET row = excluded.row, value = excluded.value, "
                "files = excluded.files",
                ((s.key, s.row, json.dumps(dict(s.values)), json.dumps(dict(s.files))) for s in sources),
            )
            for key, repeat, row, seed in jobs:
                base.execute("INSERT INTO wanted VALUES (?, ?)", (key, repeat))
                _wait(base, (key, repeat, 0), row, seed)
                base.execute("UPDATE job SET row = ? WHERE key = ? AND repeat = ?", (row, key, repeat))
            base.execute(
                "UPDATE job SET state = 'waiting', worker_deaths = 0 "
                "WHERE state IN ('running', 'quarantined')"
            )
            base.execute(
                "DELETE FROM job WHERE state = 'waiting' AND (key, repeat) NOT IN (SELECT * FROM wanted)"
            )
            base.execute("DROP TABLE wanted")

    def again(self, state: str = "failed") -> int:
        """Let jobs of a state that ended wait again; how many."""
        with self.change() as base:
            what = "state = 'waiting', worker_deaths = 0, error = '', node = ''"
            done = base.execute(f"UPDATE job SET {what} WHERE state = ?", (state,))
        return done.rowcount

    def next_try(self, job: JobId, row: int, seed: int | None) -> None:
        """An attempt after a rejected one, which waits from now on."""
        with self.change() as base:
            _wait(base, job, row, seed)

    def handed_out(self, job: JobId, worker: str) -> None:
        """The job runs at a worker: one more try. Alone of all notes it may go with the machine's power."""
        self._base.execute("PRAGMA synchronous=NORMAL")
        self._update(job, "state = 'running', tries = tries + 1, worker = ?", (worker,))
        self._base.execute("PRAGMA synchronous=FULL")

    def waits_again(self, job: JobId, error: str, worker_died: bool) -> None:
        """Back into the queue: lost, or its worker's fault, which is counted."""
        values = (error, int(worker_died))
        self._update(job, "state = 'waiting', error = ?, worker_deaths = worker_deaths + ?", values)

    def done(
        self, outcome: Outcome, outputs: Sequence[Output], judged: Mapping[str, Any] | None = None
    ) -> None:
        """Its pictures are in their places: note them and the job, in one step."""
        self._finish(outcome, "done", outputs, judged)

    def failed(self, outcome: Outcome) -> None:
        """The row's own fault."""
        self._finish(outcome, "failed", (), None)

    def quarantined(self, outcome: Outcome) -> None:
        """It killed two workers (this death is counted too)."""
        self._finish(outcome, "quarantined", (), None)

    def rejected(
        self,
        outcome: Outcome,
        outputs: Sequence[Output],
        judged: Mapping[str, Any],
        following: tuple[int, int | None] | None,
    ) -> None:
        """The judge's no. following: the next (attempt, seed), which waits from now on; None at the last."""
        self._finish(outcome, "rejected", outputs, judged, following)

    def _finish(
        self,
        outcome: Outcome,
        state: str,
        outputs: Sequence[Output],
        judged: Mapping[str, Any] | None,
        following: tuple[int, int | None] | None = None,
    ) -> None:
        job = outcome.job
        with self.change() as base:
            base.execute(
                "UPDATE job SET state = ?, error = ?, node = ?, seconds = ?, worker = ?, device = ?, "
                "timings = ?, judged = ?, ended = ?, worker_deaths = worker_deaths + ? "
                "WHERE key = ? AND repeat = ? AND attempt = ?",
                (
                    state,
                    outcome.error,
                    outcome.node,
                    outcome.seconds,
                    outcome.worker,
                    outcome.device,
                    json.dumps(dict(outcome.timings)),
                    None if judged is None else json.dumps(dict(judged)),
                    time.time(),
                    int(state == "quarantined"),
                    *job.id,
                ),
            )
            # Drawn again after its files were lost, perhaps under another row's number.
            base.execute("DELETE FROM output WHERE key = ? AND repeat = ? AND attempt = ?", job.id)
            base.executemany(
                "INSERT INTO output VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (*job.id, o.name, o.sha256, o.bytes, o.node, o.judged and json.dumps(dict(o.judged)))
                    for o in outputs
                ),
            )
            if following is not None:
                _wait(base, (job.key, job.repeat, following[0]), job.row, following[1])

    def _update(self, job: JobId, what: str, values: tuple[Any, ...]) -> None:
        with self.change() as base:
            where = "key = ? AND repeat = ? AND attempt = ?"
            base.execute(f"UPDATE job SET {what} WHERE {where}", (*values, *job))


def _wait(base: sqlite3.Connection, job: JobId, row: int, seed: int | None) -> None:
    names = "key, repeat, attempt, row, seed, state"
    base.execute(f"INSERT OR IGNORE INTO job ({names}) VALUES (?, ?, ?, ?, ?, 'waiting')", (*job, row, seed))
