"""What the ledger tells: its rows as values, and the questions that anybody may ask it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

_JOB = "key, repeat, attempt, row, seed, state, tries, worker_deaths, error, node, seconds, worker, device,"
_JOB += " timings, judged, ended"

JobId = tuple[str, int, int]


@dataclass(frozen=True)
class Source:
    """A row of the table as it was planned. files: "Title.input" -> {"path", "sha256"}."""

    key: str
    row: int
    values: Mapping[str, Any]
    files: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Record:
    """A job as the ledger knows it. timings and judged are decoded; judged is None where nobody judged."""

    key: str
    repeat: int
    attempt: int
    row: int
    seed: int | None
    state: str
    tries: int
    worker_deaths: int
    error: str
    node: str
    seconds: float | None
    worker: str
    device: str
    timings: Mapping[str, float]
    judged: Mapping[str, Any] | None
    ended: float | None

    @property
    def id(self) -> JobId:
        return self.key, self.repeat, self.attempt


@dataclass(frozen=True)
class Output:
    """A file of a job. name is relative to the output folder, with slashes."""

    name: str
    sha256: str
    bytes: int
    node: str
    judged: Mapping[str, Any] | None = None


class Records:
    """The reading half of a ledger."""

    _base: sqlite3.Connection

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state that there are any of."""
        return dict(self._base.execute("SELECT state, count(*) FROM job GROUP BY state").fetchall())

    def last(self) -> Iterator[Record]:
        """Of every repeat of a row its last attempt, by which it is what it is."""
        # Where one column is max(...), SQLite takes the others from the line that has it.
        names = _JOB.replace("attempt", "max(attempt)")
        for found in self._base.execute(f"SELECT {names} FROM job GROUP BY key, repeat ORDER BY row, repeat"):
            yield _record(found)

    def records(self, *states: str) -> Iterator[Record]:
        """Jobs of these states (all, if none is named), by row, repeat and attempt."""
        where = f"WHERE state IN ({', '.join('?' * len(states))})" if states else ""
        text = f"SELECT {_JOB} FROM job {where} ORDER BY row, repeat, attempt"
        for found in self._base.execute(text, states):
            yield _record(found)

    def record(self, job: JobId) -> Record | None:
        where = "key = ? AND repeat = ? AND attempt = ?"
        found = self._base.execute(f"SELECT {_JOB} FROM job WHERE {where}", job).fetchone()
        return None if found is None else _record(found)

    def outputs(self, job: JobId) -> list[Output]:
        found = self._base.execute(
            "SELECT name, sha256, bytes, node, judged FROM output "
            "WHERE key = ? AND repeat = ? AND attempt = ? ORDER BY name",
            job,
        )
        return [Output(n, s, b, t, None if j is None else json.loads(j)) for n, s, b, t, j in found]

    def source(self, key: str) -> Source | None:
        """The row of a key as it was planned."""
        found = self._base.execute(
            "SELECT key, row, value, files FROM source WHERE key = ?", (key,)
        ).fetchone()
        return None if found is None else _source(found)

    def sources(self) -> Iterator[Source]:
        for found in self._base.execute("SELECT key, row, value, files FROM source ORDER BY row"):
            yield _source(found)

    def runs(self) -> list[tuple[int, dict[str, Any], dict[str, Any], float]]:
        """Every command that was run into this folder: id, workflow, lock, when it started."""
        found = self._base.execute("SELECT id, workflow, lock, started FROM run ORDER BY id")
        return [(i, json.loads(w), json.loads(k), s) for i, w, k, s in found]


def _record(found: tuple[Any, ...]) -> Record:
    named = dict(zip((f.name for f in fields(Record)), found, strict=True))
    judged = named["judged"] and json.loads(named["judged"])
    return Record(**{**named, "timings": json.loads(named["timings"]), "judged": judged})


def _source(found: tuple[Any, ...]) -> Source:
    key, row, values, files = found
    return Source(key, row, json.loads(values), json.loads(files))
