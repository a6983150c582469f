"""A pool of plain processes on this machine: no Ray. Each holds a worker and is spoken to over a pipe."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import shutil
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from . import scratch
from .client import HostGone, NotThere
from .values import Died, Event, HostSettings, Job, Outcome
from .worker import BootError, Worker

_SPAWN = multiprocessing.get_context("spawn")
#: Seconds that a worker has to end its host when asked politely.
_PATIENCE = 20.0


class LocalPool:
    """gpus: the graphics cards to share out, in turns; none means that each host takes what it finds."""

    def __init__(self, settings: HostSettings, workers: int, gpus: Sequence[int] = ()) -> None:
        self._folder = str(scratch.make("likeness-batch", settings.folder or None))
        self._settings = replace(settings, folder=self._folder)
        self._gpus = {
            f"worker-{number + 1}": gpus[number % len(gpus)] if gpus else None for number in range(workers)
        }
        self._members: dict[str, _Member] = {}
        self._early: list[Event] = []

    @property
    def workers(self) -> Sequence[str]:
        return list(self._gpus)

    @property
    def page(self) -> str:
        return ""

    def start(self) -> None:
        for name in self._gpus:
            self._begin(name)

    def submit(self, worker: str, job: Job, files: Mapping[str, bytes]) -> None:
        member = self._members[worker]
        member.job = job
        member.send(("draw", job, dict(files)))

    def poll(self, timeout: float) -> list[Event]:
        events, self._early = self._early, []
        living = [member for member in self._members.values() if member.told is None]
        ears: list[Any] = [member.pipe for member in living]
        ready = set(wait(ears, 0 if events else timeout)) if ears else set()
        if not ears and not events:
            time.sleep(min(timeout, 0.1))
        for member in living:
            if member.pipe in ready:
                events += member.hear()
        return events

    def restart(self, worker: str) -> None:
        self._members[worker].kill()
        self._begin(worker)

    def ask(self, worker: str, path: str) -> bytes:
        answer: bytes = self._call(worker, "ask", path)
        return answer

    def digest(self, worker: str, path: str) -> str:
        answer: str = self._call(worker, "digest", path)
        return answer

    def stop(self, now: bool) -> None:
        for member in self._members.values():
            if not now:
                member.send(("close",))
        for member in self._members.values():
            if not now:
                member.process.join(_PATIENCE)
            member.kill()
        self._members = {}
        shutil.rmtree(self._folder, ignore_errors=True)

    def _begin(self, name: str) -> None:
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(
            target=_work, args=(theirs, name, self._settings, self._gpus[name]), name=name, daemon=True
        )
        process.start()
        theirs.close()
        self._members[name] = _Member(name, process, ours)

    def _call(self, worker: str, what: str, path: str) -> Any:
        member = self._members[worker]
        member.send((what, path))
        while True:
            for event in member.hear():
                if isinstance(event, _Answer):
                    if event.error:
                        raise ConnectionError(f"{worker} can't answer: {event.error}")
                    return event.value
                self._early.append(event)
            if member.told is not None:
                raise ConnectionError(f"{worker} died: {member.told}")


class _Answer:
    """What a worker answers to `ask` and `digest`."""

    def __init__(self, value: Any, error: str = "") -> None:
        self.value, self.error = value, error


class _Member:
    """Our end of a worker's process."""

    def __init__(self, name: str, process: BaseProcess, pipe: Connection) -> None:
        self.name, self.process, self.pipe = name, process, pipe
        self.job: Job | None = None
        #: Why it died, once that was told.
        self.told: str | None = None

    def send(self, message: tuple[Any, ...]) -> None:
        with contextlib.suppress(OSError):  # it is gone: hear() says so
            self.pipe.send(message)

    def hear(self) -> list[Any]:
        """What it said, and that it died, with an outcome for the job that dies with it. Waits for one."""
        try:
            event = self.pipe.recv()
        except (EOFError, OSError):
            return self._died(f"Its process is gone (exit code {self._code()}).", False)
        if isinstance(event, Died):
            return self._died(event.why, event.world)
        if isinstance(event, Outcome):
            self.job = None
        return [event]

    def _died(self, why: str, world: bool) -> list[Any]:
        self.told = why
        job, self.job = self.job, None
        lost = [] if job is None else [Outcome(job, self.name, "worker", error=why)]
        return [*lost, Died(self.name, why, world)]

    def _code(self) -> int | None:
        self.process.join(5)
        return self.process.exitcode

    def kill(self) -> None:
        """The process dies, and with the pipe or the process its host."""
        self.process.kill()
        self.process.join()
        self.pipe.close()
        self.process.close()


def _work(pipe: Connection, name: str, settings: HostSettings, gpu: int | None) -> None:
    """The worker's process: one thread hears the driver, this one works."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is for the driver alone
    worker = Worker(name, settings, gpu)
    orders: queue.Queue[tuple[Any, ...]] = queue.Queue()
    threading.Thread(target=_hear, args=(pipe, orders, worker), daemon=True).start()
    say = threading.Lock()

    def tell(event: object) -> None:
        with say:
            pipe.send(event)

    try:
        tell(worker.boot())
        while (order := orders.get())[0] != "close":
            _obey(order, worker, tell)
            if not worker.alive:
                tell(Died(name, "Its host is gone."))
                break
    except BootError as error:
        tell(Died(name, str(error), world=True))
    finally:
        worker.close()


def _obey(order: tuple[Any, ...], worker: Worker, tell: Any) -> None:
    what, *values = order
    if what == "draw":
        job, files = values
        tell(worker.draw(job, files, tell))
        return
    try:
        tell(_Answer(getattr(worker, what)(*values)))
    except (HostGone, NotThere) as error:
        tell(_Answer(None, str(error)))


def _hear(pipe: Connection, orders: queue.Queue[tuple[Any, ...]], worker: Worker) -> None:
    try:
        while True:
            orders.put(pipe.recv())
    except (EOFError, OSError):
        # The driver is gone, however it went: nobody would fetch what is drawn.
        worker.close()
        os._exit(1)
