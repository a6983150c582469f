"""Ranges that were drawn apart become one batch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from batch import manifest, merge
from batch.ledger import Ledger, LedgerError
from batch.records import Output, Source
from batch.values import Job, Outcome

WORKFLOW = {"1": {"class_type": "A", "inputs": {}}}


def drawn(
    folder: Path,
    rows: range,
    done: range,
    workflow: dict[str, object] | None = None,
    torch: str = "2.14",
    content: str = "row {}",
) -> None:
    """A range as a run leaves it: `done` of its rows are drawn, the rest waits."""
    path = folder / merge.RANGES / f"{rows.start:06d}"
    (path / "pictures").mkdir(parents=True, exist_ok=True)
    with Ledger(path, write=True) as ledger:
        ledger.begin(workflow or WORKFLOW, {"host": {"torch": torch}})
        ledger.plan([Source(f"k{n}", n, {"A.x": n}, {}) for n in rows], [(f"k{n}", 0, n, n) for n in rows])
        for n in done:
            data = content.format(n).encode()
            (path / f"pictures/{n}.png").write_bytes(data)
            ledger.handed_out((f"k{n}", 0, 0), "w")
            outcome = Outcome(Job(f"k{n}", n, 0, 0, n, {}), "w", "done", seconds=1.0)
            ledger.done(outcome, [Output(f"pictures/{n}.png", hashlib.sha256(data).hexdigest(), 5, "Save")])


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / manifest.NAME).read_text(encoding="utf-8").splitlines()]


def test_ranges_become_one_batch(tmp_path: Path) -> None:
    drawn(tmp_path, range(1, 4), range(1, 4))
    drawn(tmp_path, range(4, 7), range(4, 6))
    done = merge.merge(tmp_path)
    assert (done.ranges, done.ended, done.open, done.other) == (("000001", "000004"), 5, 1, ())
    assert [line["row"] for line in lines(tmp_path)] == [1, 2, 3, 4, 5]
    assert (tmp_path / "pictures/5.png").read_bytes() == b"row 5"
    assert json.loads((tmp_path / "lock.json").read_text())["host"]["torch"] == "2.14"
    with Ledger(tmp_path) as ledger:
        assert ledger.counts() == {"done": 5, "waiting": 1} and len(ledger.runs()) == 2


def test_merging_again_adds_what_has_ended_since_and_doubles_nothing(tmp_path: Path) -> None:
    drawn(tmp_path, range(1, 4), range(1, 2))
    assert merge.merge(tmp_path).ended == 1
    drawn(tmp_path, range(1, 4), range(2, 4))
    done = merge.merge(tmp_path)
    assert (done.ended, done.open) == (3, 0)
    assert [line["row"] for line in lines(tmp_path)] == [1, 2, 3]
    with Ledger(tmp_path) as ledger:
        assert len(ledger.runs()) == 2, "a run for each command"


def test_a_row_that_failed_and_was_drawn_since_is_drawn(tmp_path: Path) -> None:
    drawn(tmp_path, range(1, 3), range(1, 2))
    path = tmp_path / merge.RANGES / "000001"
    with Ledger(path, write=True) as ledger:
        ledger.failed(Outcome(Job("k2", 2, 0, 0, 2, {}), "w", "row", error="No face."))
    merge.merge(tmp_path)
    assert [line["state"] for line in lines(tmp_path)] == ["done", "failed"]
    with Ledger(path, write=True) as ledger:
        ledger.again()
    drawn(tmp_path, range(1, 3), range(2, 3))
    merge.merge(tmp_path)
    assert [line["state"] for line in lines(tmp_path)] == ["done", "done"]
    with Ledger(path, write=True) as ledger:
        ledger.waits_again(("k2", 0, 0), "", False)
    assert merge.merge(tmp_path).open == 0, "what is drawn stays drawn"


def test_what_differs_between_machines_is_said(tmp_path: Path) -> None:
    drawn(tmp_path, range(1, 2), range(1, 2))
    drawn(tmp_path, range(2, 3), range(2, 3), torch="2.9")
    assert merge.merge(tmp_path).other == ("000002: host.torch: 2.14 is now 2.9",)


def test_other_workflows_are_no_batch(tmp_path: Path) -> None:
    drawn(tmp_path, range(1, 2), range(1, 2))
    drawn(tmp_path, range(2, 3), range(2, 3), workflow={"1": {"class_type": "B", "inputs": {}}})
    with pytest.raises(merge.MergeError, match="000001 and 000002 were drawn by different workflows"):
        merge.merge(tmp_path)
    assert not (tmp_path / manifest.NAME).exists()


def test_a_row_that_two_ranges_drew_differently_is_named(tmp_path: Path) -> None:
    drawn(tmp_path, range(1, 3), range(1, 3))
    drawn(tmp_path, range(2, 4), range(2, 4), content="other {}")
    with pytest.raises(merge.MergeError, match="Row 2 was drawn twice, and differently in the range 000002"):
        merge.merge(tmp_path)


def test_a_file_that_is_gone_or_damaged_is_named(tmp_path: Path) -> None:
    drawn(tmp_path, range(1, 3), range(1, 3))
    (tmp_path / merge.RANGES / "000001/pictures/2.png").write_bytes(b"cut")
    with pytest.raises(merge.MergeError, match=r"2\.png is gone or damaged\. Run the range 000001 again"):
        merge.merge(tmp_path)


def test_a_range_that_is_being_drawn_is_waited_for(tmp_path: Path) -> None:
    drawn(tmp_path, range(1, 3), range(1, 3))
    with (
        Ledger(tmp_path / merge.RANGES / "000001", write=True),
        pytest.raises(LedgerError, match="is being drawn"),
    ):
        merge.merge(tmp_path)


def test_a_folder_without_ranges_is_named(tmp_path: Path) -> None:
    with pytest.raises(merge.MergeError, match="holds no range"):
        merge.merge(tmp_path)
