"""The ledger: one writer, what a killed driver leaves, what is in one step."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from batch.filelock import FileLock
from batch.ledger import Ledger, LedgerError, Output, Source
from batch.values import Job, Outcome, WorldError

JOBS = [("a", 0, 1, 11), ("b", 0, 2, 22)]
SOURCES = [Source("a", 1, {"T.x": 1}, {}), Source("b", 2, {"T.x": 2}, {})]


def outcome(key: str, row: int, state: str = "done", error: str = "") -> Outcome:
    return Outcome(Job(key, row, 0, 0, None, {}), "worker-1", state, error=error, timings={"T": 0.5})  # type: ignore[arg-type]


def states(ledger: Ledger) -> dict[str, str]:
    return {record.key: record.state for record in ledger.records()}


def test_one_writes_and_anybody_reads(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True) as ledger:
        ledger.plan(SOURCES, JOBS)
        with pytest.raises(LedgerError, match=r"Another run is writing into .* Wait for it or stop it"):
            Ledger(tmp_path, write=True)
        with Ledger(tmp_path) as reader:
            assert reader.counts() == {"waiting": 2}
            ledger.handed_out(("a", 0, 0), "worker-1")
            assert reader.counts() == {"running": 1, "waiting": 1}
    Ledger(tmp_path, write=True).close()


def test_the_lock_goes_with_its_process(tmp_path: Path) -> None:
    code = "import pathlib, time; from batch.filelock import FileLock; "
    code += f"lock = FileLock(pathlib.Path({str(tmp_path / 'l')!r})); lock.take(); "
    code += "print('held', flush=True); time.sleep(600)"
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None and holder.stdout.readline().strip() == b"held"
        assert not FileLock(tmp_path / "l").take()
        assert FileLock(tmp_path / "l").holder().startswith(f"process {holder.pid} on ")
    finally:
        holder.kill()
        holder.wait()
    assert FileLock(tmp_path / "l").take()


def test_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="holds no ledger"):
        Ledger(tmp_path)
    (tmp_path / "ledger.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(LedgerError, match="can't be read as a ledger"):
        Ledger(tmp_path)
    with pytest.raises(LedgerError, match="can't be read as a ledger"):
        Ledger(tmp_path, write=True)


def test_what_ran_when_the_driver_died_waits_again(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True) as ledger:
        ledger.plan(SOURCES, JOBS)
        ledger.handed_out(("a", 0, 0), "worker-1")
    with Ledger(tmp_path, write=True) as ledger:
        ledger.plan(SOURCES, JOBS)
        assert states(ledger) == {"a": "waiting", "b": "waiting"}
        record = ledger.record(("a", 0, 0))
        assert record is not None and (record.tries, record.worker_deaths, record.seed) == (1, 0, 11)


def test_what_ended_stays_and_lost_rows_go(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True) as ledger:
        ledger.plan(SOURCES, JOBS)
        ledger.done(outcome("a", 1), [Output("pictures/a.png", "00", 3, "Save")])
        ledger.plan(SOURCES[:1], [("a", 0, 5, 11)])
        assert states(ledger) == {"a": "done"}
        (record,) = ledger.records("done")
        assert (record.row, record.timings, record.worker) == (5, {"T": 0.5}, "worker-1")
        assert ledger.outputs(record.id) == [Output("pictures/a.png", "00", 3, "Save")]
        ledger.waits_again(record.id, "", False)
        ledger.done(outcome("a", 5), [Output("pictures/5.png", "00", 3, "Save")])
        assert [output.name for output in ledger.outputs(record.id)] == ["pictures/5.png"], "not the lost one"


def test_quarantine_ends_with_the_next_plan_and_failures_only_when_asked(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True) as ledger:
        ledger.plan(SOURCES, JOBS)
        ledger.waits_again(("a", 0, 0), "died", True)
        ledger.quarantined(outcome("a", 1, "worker", "died"))
        ledger.failed(outcome("b", 2, "row", "no face"))
        record = ledger.record(("a", 0, 0))
        assert record is not None and record.worker_deaths == 2
        ledger.plan(SOURCES, JOBS)
        assert states(ledger) == {"a": "waiting", "b": "failed"}
        assert ledger.again() == 1
        assert states(ledger) == {"a": "waiting", "b": "waiting"}


def test_a_rejected_attempt_and_the_next_are_one_step(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True) as ledger:
        ledger.plan(SOURCES, JOBS)
        files = [Output("rejected/a.png", "00", 3, "Save", {"similarity": 0.1})]
        ledger.rejected(outcome("a", 1), files, {"similarity": 0.1}, (1, 99))
        first, second, _ = ledger.records()
        assert (first.state, first.judged) == ("rejected", {"similarity": 0.1})
        assert (second.attempt, second.seed, second.state) == (1, 99, "waiting")
        assert ledger.outputs(first.id)[0].judged == {"similarity": 0.1}
        assert [record.state for record in ledger.last()] == ["waiting", "waiting"]
        again = outcome("a", 1)
        again = replace(again, job=replace(again.job, attempt=1))
        ledger.rejected(again, [], {"similarity": 0.2}, None)
        assert [(record.attempt, record.state) for record in ledger.last()] == [
            (1, "rejected"),
            (0, "waiting"),
        ]


def test_a_ledger_that_cannot_be_written_is_the_world_s(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True) as ledger:
        ledger.plan(SOURCES, JOBS)
        ledger._base.execute("PRAGMA query_only = 1")
        with pytest.raises(WorldError, match="can't be written"):
            ledger.handed_out(("a", 0, 0), "worker-1")
        ledger._base.execute("PRAGMA query_only = 0")
        assert states(ledger) == {"a": "waiting", "b": "waiting"}
