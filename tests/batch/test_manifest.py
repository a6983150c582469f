"""What a ledger tells others: manifest.jsonl and lock.json."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from batch import lock, manifest
from batch.ledger import Ledger
from batch.records import Output, Source
from batch.values import Job, Outcome, WorldError


def job(row: int, attempt: int = 0) -> Job:
    return Job(f"key{row}", row, 0, attempt, 100 + row, {})


def outcome(row: int, attempt: int = 0, error: str = "") -> Outcome:
    facts = {"seconds": 1.5, "timings": {"Sampler": 1.0}, "device": "cpu", "error": error}
    return Outcome(job(row, attempt), "worker-1", "row" if error else "done", **facts)  # type: ignore[arg-type]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger(tmp_path, write=True)
    sources = [
        Source(f"key{n}", n, {"Prompt.text": f"Nr. {n}"}, {"Photo.image": {"path": "p.png", "sha256": "ab"}})
        for n in (1, 2, 3)
    ]
    ledger.plan(sources, [(f"key{n}", 0, n, 100 + n) for n in (1, 2, 3)])
    return ledger


def read(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / manifest.NAME).read_text(encoding="utf-8").splitlines()]


def finish(ledger: Ledger, row: int) -> None:
    ledger.handed_out(job(row).id, "worker-1")
    ledger.done(outcome(row), [Output(f"pictures/{row}.png", "sha", 10, "Save Image")])


def test_a_line_says_all_of_a_job(ledger: Ledger, tmp_path: Path) -> None:
    with manifest.Manifest(ledger, tmp_path) as written:
        finish(ledger, 2)
        written.add(job(2).id)
        ledger.handed_out(job(1).id, "worker-2")
        ledger.failed(outcome(1, error="no face in 'wall.png'"))
        written.add(job(1).id)
        assert [line["row"] for line in read(tmp_path)] == [2, 1], "as they ended"
    first, second = read(tmp_path)
    assert first["row"] == 1 and first["state"] == "failed" and first["error"] == "no face in 'wall.png'"
    assert first["outputs"] == [] and first["seed"] == 101 and first["tries"] == 1
    assert second["values"] == {"Prompt.text": "Nr. 2"} and second["files"] == {"Photo.image": "ab"}
    assert second["outputs"] == [
        {"file": "pictures/2.png", "sha256": "sha", "bytes": 10, "node": "Save Image"}
    ]
    assert second["timings"] == {"Sampler": 1.0} and second["device"] == "cpu" and "error" not in second


def test_what_a_killed_driver_wrote_by_half_or_twice_is_gone(ledger: Ledger, tmp_path: Path) -> None:
    finish(ledger, 1)
    path = manifest.write(ledger, tmp_path)
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole + whole + whole[:20], encoding="utf-8")
    with manifest.Manifest(ledger, tmp_path):
        pass
    assert path.read_text(encoding="utf-8") == whole


def test_rejected_tries_stand_beside_the_accepted_one(ledger: Ledger, tmp_path: Path) -> None:
    ledger.handed_out(job(3).id, "worker-1")
    ledger.rejected(outcome(3), [], {"similarity": 0.2}, (1, 7))
    ledger.handed_out(job(3, 1).id, "worker-1")
    ledger.done(outcome(3, 1), [], {"similarity": 0.6})
    manifest.write(ledger, tmp_path)
    assert [(n["attempt"], n["state"], n["judged"]) for n in read(tmp_path)] == [
        (0, "rejected", {"similarity": 0.2}),
        (1, "done", {"similarity": 0.6}),
    ]


def test_a_job_that_has_not_ended_has_no_line(ledger: Ledger, tmp_path: Path) -> None:
    with manifest.Manifest(ledger, tmp_path) as written, pytest.raises(ValueError, match="has not ended"):
        written.add(job(1).id)


def test_the_lock_names_versions_models_and_commits(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    identity = ["-c", "user.name=n", "-c", "user.email=e"]
    (tmp_path / "a").write_text("a")
    subprocess.run(["git", "-C", str(tmp_path), "add", "a"], check=True)
    subprocess.run(["git", "-C", str(tmp_path), *identity, "commit", "-qm", "a"], check=True)
    stats = {
        "system": {"comfyui_version": "0.30.0", "python_version": "3.11.7 (main)", "pytorch_version": "2.14"},
        "devices": [{"name": "cpu", "type": "cpu"}],
    }
    said = lock.describe([sys.executable, "main.py"], stats, {"b.safetensors": "2", "a.ckpt": "1"}, tmp_path)
    assert said["host"]["comfyui"] == "0.30.0" and said["host"]["python"] == "3.11.7"
    assert len(said["host"]["commit"]) == 40 and list(said["models"]) == ["a.ckpt", "b.safetensors"]
    assert said["packages"]["torch"] and said["pack"]["version"]
    (tmp_path / "a").write_text("b")
    assert lock.commit(tmp_path) == said["host"]["commit"] + "+", "changed since"
    assert json.loads(lock.write(said, tmp_path).read_text(encoding="utf-8")) == said


def test_two_locks_are_compared_a_line_each() -> None:
    old = {"host": {"torch": "2.13", "device": "cpu"}, "models": {"a": "1"}}
    new = {"host": {"torch": "2.14", "device": "cpu"}, "models": {"b": "1"}}
    assert lock.differences(old, new) == [
        "host.torch: 2.13 is now 2.14",
        "models.a: 1 is now missing",
        "models.b: missing is now 1",
    ]
    assert lock.differences(old, old) == []


def test_a_python_that_can_not_be_asked_is_named() -> None:
    with pytest.raises(WorldError, match="nothing-such"):
        lock.packages("nothing-such")
