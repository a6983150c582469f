"""The workers as the driver sees them: who is ready, who must be restarted, who is given up."""

from __future__ import annotations

from collections.abc import Container

from .pool import Pool
from .progress import Progress
from .values import Died, Outcome, Ready, WorldError

#: Restarts in a row, none of which came up, after which a worker is given up; and without a drawing, when
#: each came up and died at a row. Those rows go into quarantine meanwhile, so these may be more.
BOOTS, DEATHS = 4, 20


class Crew:
    """recycle: jobs after which a worker is restarted; memory_limit: bytes of its host after which it is."""

    def __init__(self, pool: Pool, progress: Progress, recycle: int = 0, memory_limit: int = 0) -> None:
        self._pool, self._progress = pool, progress
        self._recycle, self._memory = recycle, memory_limit
        self._ready: set[str] = set()
        self._down: dict[str, str] = {}
        self._given_up: dict[str, str] = {}
        self._jobs = dict.fromkeys(pool.workers, 0)
        self._boots = dict.fromkeys(pool.workers, 0)
        self._deaths = dict.fromkeys(pool.workers, 0)
        self._worked = False
        for name in pool.workers:
            progress.worker(name, "starting")

    @property
    def living(self) -> list[str]:
        """All that are not given up."""
        return [name for name in self._pool.workers if name not in self._given_up]

    def idle(self, busy: Container[str]) -> list[str]:
        """Those that can take a job."""
        return [n for n in self._pool.workers if n in self._ready and n not in busy and n not in self._down]

    def ready(self, event: Ready) -> None:
        self._ready.add(event.worker)
        self._worked = True
        self._jobs[event.worker] = self._boots[event.worker] = 0
        self._progress.worker(event.worker, "idle")

    def died(self, event: Died) -> None:
        """A host that can't even boot, nowhere and never, is the world's fault. Raises WorldError."""
        self._ready.discard(event.worker)
        if event.world and not self._worked:
            raise WorldError(f"No worker could start. {event.why}")
        self.spoilt(event.worker, event.why)

    def spoilt(self, worker: str, why: str) -> None:
        """It must be restarted before it gets anything else."""
        if worker not in self._given_up:
            self._down.setdefault(worker, why)

    def did(self, outcome: Outcome) -> None:
        """A job ended at it, the row's fault or not: it works. It is restarted if its time has come."""
        name = outcome.worker
        self._deaths[name] = 0
        self._jobs[name] += 1
        if self._recycle and self._jobs[name] >= self._recycle:
            self._down.setdefault(name, "")
        elif self._memory and outcome.memory > self._memory:
            held, limit = outcome.memory / 1e9, self._memory / 1e9
            self._progress.say(
                f"{name} is restarted: its host holds {held:.2f} GB, the limit is {limit:.2f} GB."
            )
            self._down.setdefault(name, "")

    def renew(self, busy: Container[str]) -> None:
        """Restart those that need it and have nothing to do."""
        for name, why in list(self._down.items()):
            if name in busy:
                continue
            del self._down[name]
            self._ready.discard(name)
            self._boots[name] += 1
            self._deaths[name] += 1
            if self._boots[name] > BOOTS or self._deaths[name] > DEATHS:
                tries = BOOTS if self._boots[name] > BOOTS else DEATHS
                self._given_up[name] = why
                self._progress.say(f"{name} is given up after {tries} restarts in a row: {why}")
                continue
            self._progress.worker(name, "starting")
            self._pool.restart(name)

    def check(self, stopping: bool) -> None:
        """Raises WorldError when nobody is left who could work."""
        if not self.living and not stopping:
            raise WorldError("No worker is left. " + " ".join(self._given_up.values()))
