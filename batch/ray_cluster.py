"""Ray itself: one of our own on 127.0.0.1 with a token, or a cluster that is there."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil

from . import scratch
from .values import WorldError

#: Bytes of our own Ray's object store: photos that wait for a host, and pictures on their way back.
STORE = 256 * 2**20
#: Seconds between two looks at whether our own Ray's processes are there, and that they have to end.
_LOOK, _PATIENCE = 0.5, 10.0
#: Without these two Ray is gone; it restarts its other processes or does without.
_HEAD = ("gcs_server", "raylet")
#: Times that our own Ray is started: it gives its processes half a minute, too little for a busy machine.
_STARTS = 4
#: Ray keeps the first that a process had.
_TOKEN = secrets.token_hex(32)


class Cluster:
    """address: of a cluster to join; "" starts one of our own, which ends with `stop` or with this process.

    dashboard: with Ray's page, on 127.0.0.1 as well.
    """

    def __init__(self, address: str = "", dashboard: bool = False) -> None:
        self._address, self._dashboard = address, dashboard
        self._folder = Path()
        self._head: dict[psutil.Process, str] = {}
        self._reaper: subprocess.Popen[str] | None = None
        self._looked = 0.0
        #: Where the page is and how to enter, once it started.
        self.page = ""

    @property
    def ours(self) -> bool:
        return not self._address

    def start(self) -> None:
        """Raises WorldError."""
        # Ray reads these when it is imported. Nothing is sent anywhere but to the cluster.
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        os.environ["RAY_AUTH_MODE"] = "token"
        # A host sees the cards that the worker gives it: Ray must not hide them all.
        os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
        if self.ours:
            self._prepare()
        try:
            import ray
        except ImportError as error:
            raise WorldError(
                f"Ray can't be imported ({error}). Install it with `pip install -r requirements-batch.txt`, "
                "or use --local."
            ) from error
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        errors = (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError, OSError)
        try:
            with _signals_kept():
                if self.ours:
                    self._start_ours(ray, quiet)
                else:
                    ray.init(address=self._address, **quiet)
        except errors as error:
            where = f"No Ray cluster was joined at {self._address}" if self._address else "Ray did not start"
            self._end(now=self.ours)
            hint = " Its token belongs into RAY_AUTH_TOKEN or ~/.ray/auth_token." if self._address else ""
            words = str(error).splitlines()[0].rstrip(".")
            raise WorldError(f"{where}: {words}.{hint}") from error

    def _prepare(self) -> None:
        # Ray turns 127.0.0.1 into the machine's outer address unless it is told that there's no cluster.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        if self._folder == Path():
            # Not the system's folder for temporary files: the names of sockets may have 107 characters.
            self._folder = scratch.make("likeness-ray", "/tmp")
            token = self._folder / "token"
            token.touch(0o600)
            token.write_text(_TOKEN)
            os.environ["RAY_AUTH_TOKEN_PATH"] = str(token)
            os.environ.pop("RAY_AUTH_TOKEN", None)
            script = Path(__file__).with_name("reaper.py")
            self._reaper = subprocess.Popen(
                [sys.executable, str(script), str(self._folder)],
                stdin=subprocess.PIPE,
                text=True,
                start_new_session=True,  # Ctrl-C is not for it
            )

    def _start_ours(self, ray: Any, quiet: dict[str, Any]) -> None:
        for attempt in range(_STARTS):
            before = set(psutil.Process().children())
            try:
                context = ray.init(
                    address="local",  # whatever RAY_ADDRESS says
                    num_cpus=os.cpu_count(),
                    object_store_memory=STORE,
                    include_dashboard=self._dashboard,
                    dashboard_host="127.0.0.1",
                    _node_ip_address="127.0.0.1",
                    _temp_dir=str(self._folder),
                    **quiet,
                )
                break
            except Exception as error:
                # What it raises when a busy machine keeps it waiting is of no kind of its own.
                if type(error) is not Exception:
                    raise
                if attempt == _STARTS - 1:
                    raise RuntimeError(str(error)) from error
            finally:
                self._head |= {c: c.name() for c in psutil.Process().children() if c not in before}
                self.note()
            self._end(now=True)
        if self._dashboard and not context.dashboard_url:
            raise WorldError("Ray has no page to show: --dashboard needs `pip install 'ray[default]'`.")
        if self._dashboard:
            self.page = f"http://{context.dashboard_url}, with the token in {self._folder / 'token'}"

    def cards(self) -> int:
        """Graphics cards of all its machines."""
        import ray

        return int(ray.cluster_resources().get("GPU", 0))

    def note(self) -> None:
        """Tell the reaper what is there now."""
        if self._reaper is None or self._reaper.stdin is None:
            return
        for process in self._all():
            with contextlib.suppress(psutil.Error, OSError):
                self._reaper.stdin.write(f"{process.pid} {process.create_time()}\n")
                self._reaper.stdin.flush()

    def _all(self) -> list[psutil.Process]:
        """Our own Ray's processes, with what they started."""
        found = [*self._head]
        for child in self._head:
            with contextlib.suppress(psutil.Error):
                found += child.children(recursive=True)
        return found

    def lost(self) -> str:
        """Why our own Ray is gone; "" while it is there. Of a cluster elsewhere its calls tell."""
        if not self.ours or time.monotonic() - self._looked < _LOOK:
            return ""
        self._looked = time.monotonic()
        gone = [name for child, name in self._head.items() if name in _HEAD and not _lives(child)]
        return f"Ray's {gone[0]} is gone." if gone else ""

    def again(self) -> None:
        """Start anew after it was lost. Raises WorldError."""
        self._end(now=True)
        self.start()

    def stop(self) -> None:
        """Leave it; our own ends, with all that it started."""
        self._end()
        if self._reaper is not None:
            self._reaper.communicate()
            self._reaper = None
        if self._folder != Path():
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = Path()

    def _end(self, now: bool = False) -> None:
        """now: what is left of it is killed before Ray asks it anything."""
        started = self._all()
        self._head = {}
        if now:
            _kill(started)
        if ray := sys.modules.get("ray"):  # else it never started
            ray.shutdown()
        _, left = psutil.wait_procs(started, _PATIENCE if started else 0)
        _kill(left)
        psutil.wait_procs(left, _PATIENCE if left else 0)


def _kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself; the driver's own way to stop stays."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, kept)
