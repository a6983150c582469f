"""Plain processes as workers: one outcome for each job, whatever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from support import stub_comfyui
from support.batches import SMALLEST
from support.patience import PATIENCE

from batch.graph import set_inputs
from batch.pool_local import LocalPool
from batch.values import Died, Event, HostSettings, Job, Outcome, Ready
from installer.paths import REPOSITORY

LINUX = pytest.mark.skipif(
    sys.platform != "linux", reason="The system's call is of Linux; others have a guard."
)


def job(text: str) -> Job:
    return Job("k", 1, 0, 0, 1, set_inputs(SMALLEST, {"Prompt.text": text}))


def until(pool: LocalPool, kind: type) -> list[Event]:
    """All events up to the first of a kind."""
    told: list[Event] = []
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        told += pool.poll(0.2)
        if any(isinstance(event, kind) for event in told):
            return told
    raise AssertionError(f"Never came, only {told}")


@pytest.fixture
def pool() -> Iterator[LocalPool]:
    made = LocalPool(HostSettings(stub_comfyui.command(), cpu=True, threads=1), 1)
    made.start()
    try:
        until(made, Ready)
        yield made
    finally:
        made.stop(now=True)


def host() -> psutil.Process:
    return next(
        p for p in psutil.Process().children(recursive=True) if "stub_host.py" in " ".join(p.cmdline())
    )


def test_it_draws_and_answers(pool: LocalPool) -> None:
    pool.submit("worker-1", job("a"), {})
    (outcome,) = [event for event in until(pool, Outcome) if isinstance(event, Outcome)]
    assert (outcome.state, outcome.device, outcome.pictures[0].node) == ("done", "stub", "Save")
    assert outcome.memory > 1e6
    assert b"KSampler" in pool.ask("worker-1", "/object_info")
    assert len(pool.digest("worker-1", __file__)) == 64
    assert pool.digest("worker-1", "/nowhere") == ""
    with pytest.raises(ConnectionError, match="worker-1 can't answer"):
        pool.ask("worker-1", "/nowhere")


def test_equal_jobs_are_drawn_though_their_files_were_fetched(pool: LocalPool) -> None:
    seen = []
    for _ in range(3):
        pool.submit("worker-1", job("same"), {})
        seen += [event for event in until(pool, Outcome) if isinstance(event, Outcome)]
    assert [outcome.state for outcome in seen] == ["done"] * 3
    assert len({outcome.pictures[0].data for outcome in seen}) == 1


def test_hosts_run_on_loopback_with_folders_of_their_own(pool: LocalPool) -> None:
    words = host().cmdline()
    assert words[words.index("--listen") + 1] == "127.0.0.1"
    folders = {words[words.index(f"--{kind}-directory") + 1] for kind in ("input", "output", "temp", "user")}
    assert len(folders) == 4
    assert host().environ()["OMP_NUM_THREADS"] == "1"


@pytest.mark.parametrize("who", ["host", "worker"])
def test_what_is_killed_gives_one_outcome_and_comes_back(pool: LocalPool, who: str) -> None:
    pool.submit("worker-1", job("!slow=900"), {})
    victim = host() if who == "host" else host().parent()
    assert victim is not None
    there = host()
    victim.send_signal(signal.SIGKILL)
    told = until(pool, Died)
    assert [event.state for event in told if isinstance(event, Outcome)] == ["worker"]
    there.wait(30)
    pool.restart("worker-1")
    told = until(pool, Ready)
    assert not [event for event in told if isinstance(event, Outcome | Died)]
    pool.submit("worker-1", job("a"), {})
    assert [event.state for event in until(pool, Outcome) if isinstance(event, Outcome)] == ["done"]


def test_a_busy_worker_that_is_restarted_gives_no_outcome(pool: LocalPool) -> None:
    pool.submit("worker-1", job("!slow=900"), {})
    old = host()
    pool.restart("worker-1")
    old.wait(30)
    assert not [event for event in until(pool, Ready) if isinstance(event, Outcome | Died)]


def test_nothing_stays_behind() -> None:
    pool = LocalPool(HostSettings(stub_comfyui.command(), cpu=True), 1)
    pool.start()
    until(pool, Ready)
    family = psutil.Process().children(recursive=True)
    place = Path(host().cwd())
    pool.stop(now=False)
    _, alive = psutil.wait_procs([p for p in family if "resource_tracker" not in " ".join(_words(p))], 30)
    assert not alive
    assert not place.exists()


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def test_a_guard_ends_its_command_with_its_own_input() -> None:
    """What other systems have in the place of Linux's call."""
    guard = str(REPOSITORY / "batch" / "guard.py")
    command = [sys.executable, guard, sys.executable, "-c", "import time; time.sleep(900)"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    children = wait_for(lambda: psutil.Process(process.pid).children())
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(60) != 0
    assert not psutil.wait_procs(children, 30)[1]


@LINUX
def test_a_host_dies_with_its_worker_s_process() -> None:
    code = (
        "import sys, time; from batch.host import Host; from batch.values import HostSettings\n"
        f"host = Host(HostSettings({stub_comfyui.command()!r}, cpu=True)); host.boot()\n"
        "print(host.pid, flush=True); time.sleep(900)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=REPOSITORY)
    assert process.stdout is not None
    there = psutil.Process(int(process.stdout.readline()))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    there.wait(30)


def wait_for(found: Callable[[], list[psutil.Process]]) -> list[psutil.Process]:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if there := found():
            return there
        time.sleep(0.05)
    raise AssertionError("It never came.")
