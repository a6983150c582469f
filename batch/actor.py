"""A worker in a Ray actor: one thread works, another hears how it goes on.

The actor's class is made here and nowhere imported on the other side: Ray carries it there by value, and it
finds the pack by its folder, which must be the same on every machine, as the host's is. What comes in is
pickled by us for the same reason.
"""

from __future__ import annotations

import os
import pickle
import queue
import sys
import threading
from collections.abc import Mapping
from typing import Any

from .client import HostGone, NotThere
from .values import Died, Event, HostSettings, Job, Outcome, Progress
from .worker import BootError, Worker

#: Seconds that `watch` waits for something to say, and that it gathers before it says it.
WATCH, GATHER = 10.0, 0.25


class Member:
    """What the actor holds. All methods but `watch` are called by one thread."""

    def __init__(self, name: str, settings: HostSettings, gpu: int | None) -> None:
        self._name = name
        self._worker = Worker(name, settings, gpu)
        self._said: queue.Queue[Progress] = queue.Queue()
        self._booted = threading.Event()

    def boot(self) -> Event:
        """Ready, or Died where the host can't be booted."""
        try:
            ready = self._worker.boot()
        except BootError as error:
            return Died(self._name, str(error), world=True)
        self._booted.set()
        return ready

    def draw(self, job: Job, files: Mapping[str, bytes]) -> list[Event]:
        """The outcome, and that the host is gone if it is."""
        outcome: Outcome = self._worker.draw(job, files, self._said.put)
        gone: list[Event] = [] if self._worker.alive else [Died(self._name, "Its host is gone.")]
        return [outcome, *gone]

    def ask(self, path: str) -> tuple[Any, str]:
        """(the answer, "") or (None, why there is none)."""
        try:
            return self._worker.ask(path), ""
        except (HostGone, NotThere) as error:
            return None, str(error)

    def digest(self, path: str) -> tuple[Any, str]:
        return self._worker.digest(path), ""

    def close(self) -> None:
        self._worker.close()

    def watch(self) -> list[Progress]:
        """The newest of what was said; waits for the first of it. Called by a thread of its own."""
        try:
            said = self._said.get(timeout=WATCH)
            threading.Event().wait(GATHER)
        except queue.Empty:
            return []
        while not self._said.empty():
            said = self._said.get()
        return [said]


def actor_class() -> type[Any]:
    """A class that is pickled whole, since it is nobody's attribute."""

    class LikenessWorker:
        def __init__(self, root: str, packed: bytes) -> None:
            if root not in sys.path:
                sys.path.insert(0, root)
            from batch.actor import Member

            self._member = Member(*pickle.loads(packed))

        def pid(self) -> int:
            return os.getpid()

        def boot(self) -> Any:
            return self._member.boot()

        def draw(self, packed: bytes, photos: dict[str, Any]) -> Any:
            import ray

            files = dict(zip(photos, ray.get(list(photos.values())), strict=True))
            return self._member.draw(pickle.loads(packed), files)

        def ask(self, path: str) -> Any:
            return self._member.ask(path)

        def digest(self, path: str) -> Any:
            return self._member.digest(path)

        def close(self) -> None:
            self._member.close()

        def watch(self) -> Any:
            return self._member.watch()

    return LikenessWorker
