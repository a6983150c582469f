"""The pool of Ray actors, with real Ray and the stub host."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.patience import PATIENCE
from support.stub_comfyui import command

from batch.pool_ray import RayPool
from batch.values import Died, Event, HostSettings, Job, Outcome, Progress, Ready, WorldError
from installer.paths import REPOSITORY

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="On Windows batches run with --local.")


def job(text: str = "", photo: bytes = b"") -> Job:
    prompt: dict[str, Any] = {
        "1": {"class_type": "EmptyImage", "inputs": dict.fromkeys(("width", "height", "batch_size"), 8)},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": f"x{text}"}},
    }
    prompt["1"]["inputs"] |= {"color": 0}
    files = {}
    if photo:
        name = f"{hashlib.sha256(photo).hexdigest()[:16]}.png"
        prompt["1"] = {"class_type": "LoadImage", "inputs": {"image": name}}
        files[name] = hashlib.sha256(photo).hexdigest()
    return Job(f"key{text}", 1, 0, 0, None, prompt, files)


def until(pool: RayPool, wanted: Callable[[Event], bool], seconds: float = PATIENCE) -> list[Event]:
    """All that is told until an event is the one."""
    told: list[Event] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        told += (new := pool.poll(0.2))
        if any(map(wanted, new)):
            return told
    raise AssertionError(f"It was not told in {seconds} s; only: {told}")


def _ready(name: str) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, Ready) and event.worker == name


def _outcome(event: Event) -> bool:
    return isinstance(event, Outcome)


@pytest.fixture(scope="module")
def marks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("marks")


@pytest.fixture(scope="module")
def pool(marks: Path) -> Iterator[RayPool]:
    started = RayPool(HostSettings(command("--marks", str(marks)), cpu=True, threads=1), 2, dashboard=True)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RAY_ADDRESS", "127.0.0.1:1")  # of a cluster that was not asked for
            started.start()
        seen: set[str] = set()
        while len(seen) < 2:
            told = until(started, lambda event: isinstance(event, Ready))
            seen |= {event.worker for event in told if isinstance(event, Ready)}
        yield started
    finally:
        mine = _of_ray()
        started.stop(now=True)
        assert not [process for process in mine if process.is_running()]


def _of_ray() -> list[psutil.Process]:
    """Our processes but for the one that Python itself keeps when another test has used its own pools."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]


def draw(pool: RayPool, worker: str, what: Job, **files: bytes) -> Outcome:
    pool.submit(worker, what, files)
    return next(e for e in until(pool, _outcome) if isinstance(e, Outcome))


def test_it_draws_and_says_what_it_draws_on(pool: RayPool) -> None:
    first, second = draw(pool, "worker-1", job("a")), draw(pool, "worker-2", job("a"))
    assert first.state == second.state == "done"
    assert first.pictures[0].data == second.pictures[0].data
    assert (first.worker, first.device, first.pictures[0].node) == ("worker-1", "stub", "SaveImage")


def test_nothing_listens_beyond_this_machine(pool: RayPool) -> None:
    heard = [c for p in _of_ray() for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert len(heard) > 8, "Ray and both hosts listen."
    assert {connection.laddr.ip for connection in heard} <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}


def test_its_page_opens_for_the_token_alone(pool: RayPool) -> None:
    url, _, file = pool.cluster.page.partition(", with the token in ")
    assert Path(file).stat().st_mode & 0o077 == 0
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError, match="401"):
        opener.open(f"{url}/api/version", timeout=60)
    header = {"Authorization": f"Bearer {Path(file).read_text()}"}
    assert opener.open(urllib.request.Request(f"{url}/api/version", headers=header), timeout=60).status == 200


def test_a_photo_is_put_into_the_store_once(pool: RayPool) -> None:
    photo = b"not looked into"
    what = job("photo", photo)
    (name,) = what.files
    for worker in ("worker-1", "worker-2", "worker-1"):
        assert draw(pool, worker, what, **{name: photo}).state == "done"
    assert len(pool._photos) == 1


def test_it_says_how_a_row_goes_on(pool: RayPool) -> None:
    pool.submit("worker-1", job("!slow=5"), {})
    told = until(pool, lambda event: isinstance(event, Progress))
    assert [(e.worker, e.node) for e in told if isinstance(e, Progress)] == [("worker-1", "SaveImage")]
    until(pool, _outcome)


def test_answers_of_a_host(pool: RayPool, tmp_path: Path) -> None:
    assert b"SaveImage" in pool.ask("worker-2", "/object_info/SaveImage")
    with pytest.raises(ConnectionError, match="worker-2 can't answer"):
        pool.ask("worker-2", "/nothing")
    (tmp_path / "model").write_bytes(b"weights")
    assert pool.digest("worker-1", str(tmp_path / "model")) == hashlib.sha256(b"weights").hexdigest()


def test_a_host_that_dies_is_the_workers_fault_and_boots_again(pool: RayPool) -> None:
    pool.submit("worker-1", job("!die~1"), {})
    told = until(pool, lambda event: isinstance(event, Died))
    outcomes = [event for event in told if isinstance(event, Outcome)]
    assert [o.state for o in outcomes] == ["worker"]
    assert "died" in outcomes[0].error
    pool.restart("worker-1")
    until(pool, _ready("worker-1"))
    assert draw(pool, "worker-1", job("!die~1")).state == "done"


def test_an_actor_that_is_killed_takes_its_host_with_it(pool: RayPool) -> None:
    pool.submit("worker-2", job("!slow=60"), {})
    victim = None
    while victim is None:
        victim = next((p for p in _of_ray() if "LikenessWorker.draw" in " ".join(p.cmdline())), None)
    (host,) = victim.children()
    os.kill(victim.pid, signal.SIGKILL)
    told = until(pool, lambda event: isinstance(event, Died))
    assert [e.state for e in told if isinstance(e, Outcome)] == ["worker"]
    host.wait(30)
    pool.restart("worker-2")
    until(pool, _ready("worker-2"))
    assert draw(pool, "worker-2", job("b")).state == "done"


def test_a_head_that_is_killed_is_started_anew(pool: RayPool) -> None:
    pool.submit("worker-1", job("!slow=60"), {})
    next(p for p in psutil.Process().children() if p.name() == "gcs_server").kill()
    seen: list[Event] = []
    while sum(isinstance(event, Died) for event in seen) < 2:
        seen += until(pool, lambda event: isinstance(event, Died))
    assert [e.state for e in seen if isinstance(e, Outcome)] == ["lost"]
    for name in pool.workers:
        pool.restart(name)
    told: list[Event] = []
    while len({event.worker for event in told if isinstance(event, Ready)}) < 2:
        told += until(pool, lambda event: isinstance(event, Ready))
    assert draw(pool, "worker-1", job("c")).state == draw(pool, "worker-2", job("c")).state == "done"


def test_a_cluster_that_is_not_there() -> None:
    with pytest.raises(WorldError, match="No Ray cluster was joined at"):
        RayPool(HostSettings(command()), 1, address="127.0.0.1:1").start()


def test_without_ray_it_is_said_what_to_do(tmp_path: Path) -> None:
    """In a process that can't import it."""
    code = (
        "import sys; sys.modules['ray'] = None; from batch.pool_ray import RayPool; "
        "from batch.values import HostSettings, WorldError; pool = RayPool(HostSettings(()), 1)\n"
        "try:\n    pool.start()\nexcept WorldError as error:\n    print(error)\nfinally:\n    pool.stop(True)"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Install it with `pip install -r requirements-batch.txt`, or use --local." in done.stdout
