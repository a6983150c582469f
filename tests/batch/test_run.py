"""`python -m batch run --local` against the stub host: drawn, resumed, and whose fault it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.batches import batch, drawn, lines

from batch.judge import Verdict as Judged
from batch.ledger import Ledger
from batch.values import Outcome

Table = Callable[..., Path]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_every_row_is_drawn_once(smallest: Path, table: Table, out: Path, stub: list[str]) -> None:
    assert batch("run", smallest, "--rows", table("a", "b", "c"), "--out", out, *stub) == 0
    assert [line["row"] for line in lines(out)] == [1, 2, 3]
    assert {line["state"] for line in lines(out)} == {"done"}
    assert len({data for data in drawn(out).values()}) == 3
    assert {Path(line["outputs"][0]["file"]).name for line in lines(out)} == set(drawn(out))
    assert not list(out.glob("**/*.part"))


def test_what_is_drawn_is_not_drawn_again(smallest: Path, table: Table, out: Path, stub: list[str]) -> None:
    batch("run", smallest, "--rows", table("a", "b"), "--out", out, *stub)
    first, times = lines(out), {p: p.stat().st_mtime_ns for p in (out / "pictures").iterdir()}
    assert batch("run", smallest, "--rows", table("a", "b", "c"), "--out", out, *stub) == 0
    assert lines(out)[:2] == first
    assert len(lines(out)) == 3
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())


def test_a_picture_that_was_taken_away_is_drawn_again(
    smallest: Path, table: Table, out: Path, stub: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table("a", "b")
    batch("run", smallest, "--rows", rows, "--out", out, *stub)
    before = drawn(out)
    gone = next((out / "pictures").iterdir())
    gone.unlink()
    assert batch("run", smallest, "--rows", rows, "--out", out, *stub) == 0
    assert drawn(out) == before
    assert f"{gone.name} is gone and is drawn again" in capsys.readouterr().out


def test_seeds_depend_on_neither_order_nor_workers(
    smallest: Path, table: Table, tmp_path: Path, stub: list[str]
) -> None:
    batch("run", smallest, "--rows", table("a", "b", "c"), "--out", tmp_path / "1", "--repeat", 2, *stub)
    batch("run", smallest, "--rows", table("c", "a", "b"), "--out", tmp_path / "2", "--repeat", 2, *stub,
          "--workers", 2)  # fmt: skip
    seeds = [{line["key"]: {} for line in lines(tmp_path / name)} for name in "12"]
    for found, name in zip(seeds, "12", strict=True):
        for line in lines(tmp_path / name):
            found[line["key"]][line["repeat"]] = line["seed"], line["outputs"][0]["sha256"]
    assert seeds[0] == seeds[1]
    assert len({seed for row in seeds[0].values() for seed, _ in row.values()}) == 6


def test_equal_rows_are_each_drawn(smallest: Path, table: Table, out: Path, stub: list[str]) -> None:
    batch("run", smallest, "--rows", table("a", "a"), "--out", out, *stub)
    first, second = lines(out)
    assert first["key"] != second["key"]
    assert first["seed"] != second["seed"]


def test_a_rows_own_seed_holds(smallest: Path, table: Table, out: Path, stub: list[str]) -> None:
    rows = table("a", "b", Sampler__seed=[7, 8])
    batch("run", smallest, "--rows", rows, "--out", out, "--repeat", 2, *stub)
    seeds = {(line["row"], line["repeat"]): line["seed"] for line in lines(out)}
    assert (seeds[1, 0], seeds[2, 0]) == (7, 8)
    assert seeds[1, 1] not in (7, 8)


def test_a_rows_own_fault_is_noted_and_not_tried_again(
    smallest: Path, table: Table, out: Path, stub: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table("a", "!error~1 b", "c")
    assert batch("run", smallest, "--rows", rows, "--out", out, *stub) == 1
    wrong = lines(out)[1]
    assert (wrong["state"], wrong["node"], wrong["tries"]) == ("failed", "Model", 1)
    assert wrong["error"] == "No face was found in image."
    assert "row 2 failed: Model: No face was found in image." in capsys.readouterr().out
    assert len(drawn(out)) == 2
    assert batch("run", smallest, "--rows", rows, "--out", out, *stub) == 1
    assert lines(out)[1] == wrong
    assert batch("run", smallest, "--rows", rows, "--out", out, "--again", *stub) == 0
    assert len(drawn(out)) == 3


@pytest.mark.parametrize("fault", ["die", "die-after", "oom", "damage"])
def test_a_workers_fault_is_tried_elsewhere(
    fault: str, smallest: Path, table: Table, out: Path, stub: list[str]
) -> None:
    rows = table("a", f"!{fault}~1 b {out}", "c", "d")
    assert batch("run", smallest, "--rows", rows, "--out", out, "--workers", 2, *stub) == 0
    assert [line["worker_deaths"] for line in lines(out)] == [0, 1, 0, 0]
    assert lines(out)[1]["tries"] == 2
    assert len(drawn(out)) == 4


def test_rows_that_kill_two_workers_are_left_aside_however_many(
    smallest: Path, table: Table, out: Path, stub: list[str]
) -> None:
    rows = table("!die b", "!die c", "!die d", "a")
    assert batch("run", smallest, "--rows", rows, "--out", out, *stub) == 1
    assert [line["state"] for line in lines(out)] == [*["quarantined"] * 3, "done"]
    assert lines(out)[0]["worker_deaths"] == 2
    assert "died" in lines(out)[0]["error"]


def test_quarantine_ends_with_the_next_run(smallest: Path, table: Table, out: Path, stub: list[str]) -> None:
    rows = table(f"!die~2 b {out}", "a")
    assert batch("run", smallest, "--rows", rows, "--out", out, *stub) == 1
    assert batch("run", smallest, "--rows", rows, "--out", out, *stub) == 0
    assert [line["state"] for line in lines(out)] == ["done", "done"]


def test_a_hung_host_is_restarted(smallest: Path, table: Table, out: Path, stub: list[str]) -> None:
    rows = table("a", f"!hang~1 b {out}", "c")
    assert batch("run", smallest, "--rows", rows, "--out", out, "--timeout", 3, *stub) == 0
    assert lines(out)[1]["worker_deaths"] == 1


def test_a_job_that_the_host_forgot_is_never_done(
    smallest: Path, table: Table, out: Path, stub: list[str]
) -> None:
    rows = table("a", f"!forget~1 b {out}")
    assert batch("run", smallest, "--rows", rows, "--out", out, *stub) == 0
    assert (lines(out)[1]["tries"], lines(out)[1]["worker_deaths"]) == (2, 0)


def test_silent_sockets_change_nothing(smallest: Path, table: Table, out: Path, stub: list[str]) -> None:
    silent = [*stub[:-1], stub[-1] + " --silent"]
    assert batch("run", smallest, "--rows", table("a", "b"), "--out", out, *silent) == 0
    assert len(drawn(out)) == 2


def test_a_full_disk_at_the_host_stops_at_once(
    smallest: Path, table: Table, out: Path, stub: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table("a", "!full~1 b", "c", "d")
    assert batch("run", smallest, "--rows", rows, "--out", out, *stub) == 3
    assert "No space left on device" in capsys.readouterr().err
    with Ledger(out) as ledger:
        assert ledger.counts() == {"done": 1, "waiting": 3}
    assert batch("run", smallest, "--rows", rows, "--out", out, *stub) == 0
    assert [line["state"] for line in lines(out)] == ["done"] * 4


def test_a_range_has_the_keys_and_seeds_of_the_whole(
    smallest: Path, table: Table, tmp_path: Path, stub: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table("a", "a", "b", "c")
    batch("run", smallest, "--rows", rows, "--out", tmp_path / "all", *stub)
    batch("run", smallest, "--rows", rows, "--out", tmp_path / "some", "--range", "2-3", *stub)
    facts = [
        {line["row"]: (line["key"], line["seed"]) for line in lines(tmp_path / name)}
        for name in ("all", "some")
    ]
    assert facts[1] == {row: facts[0][row] for row in (2, 3)}
    assert batch("run", smallest, "--rows", rows, "--out", tmp_path / "none", "--range", "5-9", *stub) == 2
    assert "The table has 4 rows: none of them is in --range." in capsys.readouterr().err


def test_a_folder_of_pictures(
    photo_workflow: Path, tmp_path: Path, out: Path, stub: list[str], pictures: Path
) -> None:
    assert batch("run", photo_workflow, "--rows", pictures, "--out", out, *stub) == 0
    assert [Path(line["values"]["Photo.image"]).name for line in lines(out)] == ["a.png", "b.png"]
    assert all(line["files"]["Photo.image"] for line in lines(out))


def test_a_photo_has_one_key_wherever_it_lies(
    photo_workflow: Path, tmp_path: Path, stub: list[str], pictures: Path
) -> None:
    moved = tmp_path / "moved"
    pictures.rename(moved)
    moved.joinpath("a.png").rename(moved / "z.png")
    moved.rename(pictures)
    batch("run", photo_workflow, "--rows", pictures, "--out", tmp_path / "1", *stub)
    (pictures / "z.png").rename(pictures / "a.png")
    batch("run", photo_workflow, "--rows", pictures, "--out", tmp_path / "2", *stub)
    keys = [{line["key"]: line["seed"] for line in lines(tmp_path / name)} for name in "12"]
    assert keys[0] == keys[1]


def test_dry_run_draws_nothing(
    smallest: Path, table: Table, out: Path, stub: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table("a", "b")
    assert batch("run", smallest, "--rows", rows, "--out", out, "--dry-run", "--repeat", 3, *stub) == 0
    said = capsys.readouterr().out
    assert "2 rows, each 3 times. 6 pictures, about" in said
    assert "Nothing was drawn (--dry-run)." in said
    assert not out.exists()


def test_all_faults_are_told_in_one_list(
    smallest: Path, table: Table, out: Path, stub: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table("a", "b", "c", Sampler__steps=[20, 0, "many"], Nobody__text=["x", "y", "z"])
    assert batch("run", smallest, "--rows", rows, "--out", out, *stub) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in said] == [
        "row 1",
        "row 2",
        "row 2",
        "row 3",
        "row 3",
        "5 faults; nothing was drawn.",
    ]
    assert "row 2, Sampler.steps: 0 is below the least, 1." in said
    assert not (out / "pictures").exists()


def test_workers_are_restarted_after_so_many_rows(
    smallest: Path, table: Table, out: Path, stub: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table(*"abcde")
    assert batch("run", smallest, "--rows", rows, "--out", out, "--recycle", 2, "--json", *stub) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sum(one.get("doing") == "starting" for one in told) == 3
    assert len(drawn(out)) == 5


def test_workers_are_restarted_when_their_memory_grows(
    smallest: Path, table: Table, out: Path, stub: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        batch("run", smallest, "--rows", table("a", "b"), "--out", out, "--memory-limit", 0.001, *stub) == 0
    )
    assert "worker-1 is restarted: its host holds 0.0" in capsys.readouterr().out
    assert len(drawn(out)) == 2


def test_another_workflow_needs_another_folder(
    smallest: Path, table: Table, out: Path, stub: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table("a")
    batch("run", smallest, "--rows", rows, "--out", out, *stub)
    graph = json.loads(smallest.read_text())
    graph["4"]["inputs"]["width"] = 256
    smallest.write_text(json.dumps(graph))
    assert batch("run", smallest, "--rows", rows, "--out", out, *stub) == 2
    assert "holds pictures of another workflow" in capsys.readouterr().err
    assert len(drawn(out)) == 1


def test_a_row_that_is_mended_in_the_table_is_no_failure_any_more(
    smallest: Path, table: Table, out: Path, stub: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch("run", smallest, "--rows", table("a", "!error b"), "--out", out, *stub) == 1
    rows = table("a", "b", "c")
    assert batch("run", smallest, "--rows", rows, "--out", out, "--range", "2-2", *stub) == 0
    assert batch("run", smallest, "--rows", rows, "--out", out, *stub) == 0
    said = capsys.readouterr().out
    assert said.count("All is drawn.") == 2
    assert "1 row.\n" in said and "3 rows, 2 of them done before" in said


def test_rejected_rows_are_tried_on_when_more_tries_are_asked_for(
    smallest: Path, table: Table, out: Path, stub: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The judge here takes third attempts."""

    def judge(outcome: Outcome) -> Judged:
        return Judged(outcome.job.attempt == 2, {}, (None,) * len(outcome.pictures))

    monkeypatch.setattr("batch.run.judge_of", lambda *_: judge)
    asked = ["run", smallest, "--rows", table("a"), "--out", out, *stub, "--judge", "identity"]
    assert batch(*asked, "--tries", 2) == 1
    first = lines(out)
    assert [line["state"] for line in first] == ["rejected", "rejected"]
    assert batch(*asked, "--tries", 2) == 1
    assert lines(out) == first, "as many as were asked for"
    assert batch(*asked, "--tries", 4) == 0
    assert lines(out)[:2] == first
    assert [line["state"] for line in lines(out)] == ["rejected", "rejected", "done"]
