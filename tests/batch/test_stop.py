"""Ctrl-C once and twice, and a driver that is killed: nothing stays behind, and the rest is drawn later."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from support.batches import batch, drawn, lines
from support.patience import PATIENCE

from batch.ledger import Ledger, LedgerError
from installer.paths import REPOSITORY

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Signals of POSIX.")
Table = Callable[..., Path]


class Run:
    """`python -m batch run` as a process of its own."""

    def __init__(self, out: Path, *arguments: object) -> None:
        self.out = out
        words = [sys.executable, "-m", "batch", "run", *map(str, arguments), "--out", str(out)]
        self.process = subprocess.Popen(
            words,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A shell's job in the background ignores Ctrl-C, and so would what its tests start.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.family: list[psutil.Process] = []

    def until_running(self, jobs: int) -> None:
        """Wait until so many jobs run at once."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            assert self.process.poll() is None, self.process.communicate()[0]
            try:
                with Ledger(self.out) as ledger:
                    if ledger.counts().get("running", 0) >= jobs:
                        self.family = psutil.Process(self.process.pid).children(recursive=True)
                        return
            except LedgerError:
                pass  # not yet begun
            time.sleep(0.05)
        raise AssertionError("The jobs did not start.")

    def until_hosts(self, count: int) -> None:
        """Wait until so many hosts are processes."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.family = psutil.Process(self.process.pid).children(recursive=True)
            if sum("main.py" in " ".join(_words(one)) for one in self.family) >= count:
                return
            time.sleep(0.05)
        raise AssertionError("No host was started.")

    def end(self) -> tuple[int, str]:
        said, _ = self.process.communicate(timeout=PATIENCE)
        gone, alive = psutil.wait_procs(self.family, 30)
        assert gone and not alive, f"left behind: {alive}"
        return self.process.returncode, said


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_once_finishes_what_runs(
    kind: signal.Signals, smallest: Path, table: Table, out: Path, stub: list[str]
) -> None:
    rows = table(*(f"!slow=1 {letter}" for letter in "abcd"))
    run = Run(out, smallest, "--rows", rows, "--workers", 2, *stub)
    run.until_running(2)
    run.process.send_signal(kind)
    status, said = run.end()
    assert status == 130
    assert "Finishing what runs; Ctrl-C again stops now." in said
    assert "Stopped; 2 are left. Run the same command again to go on." in said
    assert len(drawn(out)) == len(lines(out)) == 2
    assert batch("run", smallest, "--rows", rows, *stub, "--out", out) == 0
    assert len(drawn(out)) == 4


def test_while_the_host_boots(smallest: Path, table: Table, out: Path, stub: list[str]) -> None:
    stuck = [*stub[:-1], stub[-1] + " --stuck"]
    run = Run(out, smallest, "--rows", table("a"), *stuck)
    run.until_hosts(1)
    run.process.send_signal(signal.SIGINT)
    status, said = run.end()
    assert status == 130
    assert said.endswith("Stopped.\n")


def test_twice_stops_now(smallest: Path, table: Table, out: Path, stub: list[str]) -> None:
    rows = table("!slow=900 a", "b")
    run = Run(out, smallest, "--rows", rows, *stub)
    run.until_running(1)
    run.process.send_signal(signal.SIGINT)
    time.sleep(1)
    run.process.send_signal(signal.SIGINT)
    status, said = run.end()
    assert status == 130
    assert "Stopped; 2 are left." in said
    with Ledger(out) as ledger:
        assert ledger.counts() == {"waiting": 2}


def test_a_killed_driver_leaves_no_host_behind(
    smallest: Path, table: Table, out: Path, stub: list[str]
) -> None:
    rows = table("!slow=5 a", "b")
    run = Run(out, smallest, "--rows", rows, "--workers", 2, *stub)
    run.until_running(1)
    run.process.kill()
    assert run.end()[0] == -signal.SIGKILL
    assert batch("run", smallest, "--rows", rows, *stub, "--out", out) == 0
    assert lines(out)[0]["tries"] == 2
    assert len(drawn(out)) == 2


def test_a_second_driver_is_refused(
    smallest: Path, table: Table, out: Path, stub: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table("!slow=2 a")
    run = Run(out, smallest, "--rows", rows, *stub)
    run.until_running(1)
    assert batch("run", smallest, "--rows", rows, *stub, "--out", out) == 2
    said = capsys.readouterr().err
    assert f"Another run is writing into {out} (process {run.process.pid} on" in said
    assert batch("status", out) == 0
    assert capsys.readouterr().out.startswith("1 running")
    assert run.end()[0] == 0
