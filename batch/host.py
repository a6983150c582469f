"""A worker's host: one process of its own, with its own port and folders, that dies with the worker."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from installer.server import free_port

from .client import Client, HostGone, NotThere
from .values import HostSettings

_LINUX = sys.platform == "linux"
# Loaded here: between fork and exec there must be nothing to load.
_LIBC: Any = ctypes.CDLL(None) if _LINUX else None
_PDEATHSIG = 1
#: Times that booting is tried: a free port may be taken before the host takes it.
_BOOTS = 3
_TAKEN = "address already in use"


class BootError(RuntimeError):
    """The host stopped while it booted, or didn't answer in time. The message has the end of its log."""


class Host:
    """`boot()` starts it and waits until it answers; `close()` ends it and takes its folders away."""

    def __init__(self, settings: HostSettings, gpu: int | None = None) -> None:
        self._settings, self._gpu = settings, gpu
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = Path()
        self.url = ""

    @property
    def input(self) -> Path:
        return self.folder / "input"

    @property
    def output(self) -> Path:
        return self.folder / "output"

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ended(self, seconds: float) -> bool:
        """Whether its process is gone, or goes within so many seconds: a connection breaks before that."""
        if self._process is None:
            return True
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def memory(self) -> int:
        """Resident bytes; 0 when it is gone."""
        if not self.alive:
            return 0
        try:
            process = psutil.Process(self.pid)
            whole = [process, *([] if _LINUX else process.children(recursive=True))]
            return sum(int(one.memory_info().rss) for one in whole)
        except psutil.Error:
            return 0

    def boot(self) -> None:
        """Raises BootError."""
        for attempt in range(_BOOTS):
            self.folder = Path(tempfile.mkdtemp(prefix="host-", dir=self._settings.folder or None))
            try:
                self._start()
                self._wait()
                return
            except BootError as error:
                self.close()
                if _TAKEN not in str(error).lower() or attempt == _BOOTS - 1:
                    raise
            except BaseException:
                self.close()
                raise

    def _start(self) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [*self._settings.command, "--port", str(port), "--listen", "127.0.0.1"]
        for kind in ("input", "output", "temp", "user"):
            (self.folder / kind).mkdir()
            command += [f"--{kind}-directory", str(self.folder / kind)]
        command += ["--database-url", "sqlite:///:memory:", "--disable-auto-launch"]
        if self._settings.cpu:
            command += ["--cpu"]
        elif self._gpu is not None:
            command += ["--cuda-device", str(self._gpu)]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
        if self._settings.threads:
            environment["OMP_NUM_THREADS"] = environment["MKL_NUM_THREADS"] = str(self._settings.threads)
        try:
            with (self.folder / "host.log").open("wb") as log:
                self._process = subprocess.Popen(
                    _guarded(command),
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**environment, **self._settings.environment},
                    cwd=self.folder,
                    # Ctrl-C in the terminal is for the driver alone.
                    start_new_session=True,
                    creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
                    preexec_fn=_die_with_parent if _LINUX else None,
                )
        except OSError as error:
            raise BootError(f"The host can't be started: {error}") from error

    def _wait(self) -> None:
        end = time.monotonic() + self._settings.boot_timeout
        client = Client(self.url, 10.0)
        while time.monotonic() < end:
            if not self.alive:
                raise BootError(f"The host stopped while it booted. The end of its log:\n{self.log_tail()}")
            try:
                client.get("/system_stats")
                client.close()
                return
            except (HostGone, NotThere):
                time.sleep(0.1)
        raise BootError(
            f"The host didn't answer within {self._settings.boot_timeout:.0f} s. The end of its log:\n"
            f"{self.log_tail()}"
        )

    def log_tail(self, lines: int = 30) -> str:
        path = self.folder / "host.log"
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        return "\n".join(text.splitlines()[-lines:])

    def close(self) -> None:
        """End it, at once: it holds nothing that a kill could harm."""
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()  # what a guard waits for
            try:
                process.wait(0 if _LINUX else 10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self.folder != Path():
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = Path()


def _guarded(command: list[str]) -> list[str]:
    """Where the system can't end a child with its parent, a guard does; see guard.py."""
    return command if _LINUX else [sys.executable, str(Path(__file__).with_name("guard.py")), *command]


def _die_with_parent() -> None:
    _LIBC.prctl(_PDEATHSIG, signal.SIGKILL)
