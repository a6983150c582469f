"""A pool of Ray actors, on this machine or on a cluster. Each holds a worker, as a plain process would."""

from __future__ import annotations

import contextlib
import pickle
import shutil
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from installer.paths import REPOSITORY

from . import scratch
from .actor import actor_class
from .ray_cluster import STORE, Cluster
from .values import Died, Event, HostSettings, Job, Outcome, State, WorldError

#: Seconds that a worker has to end its host when asked politely, and to answer a question.
_PATIENCE, _ANSWER = 20.0, 600.0
#: Bytes of photos that are kept in the object store for later rows.
_PHOTOS = STORE // 2


class RayPool:
    """gpus: as in LocalPool, on our own Ray; a cluster (address) gives each worker a card of its choice."""

    def __init__(
        self,
        settings: HostSettings,
        workers: int,
        gpus: Sequence[int] = (),
        address: str = "",
        dashboard: bool = False,
    ) -> None:
        self.cluster = Cluster(address, dashboard)
        self._folder: Path | None = None
        if self.cluster.ours:
            self._folder = scratch.make("likeness-batch", settings.folder)
            settings = replace(settings, folder=str(self._folder))
        self._settings = settings
        cards = gpus if self.cluster.ours else ()
        self._cards = {f"worker-{n + 1}": cards[n % len(cards)] if cards else None for n in range(workers)}
        self._members: dict[str, _Member] = {}
        #: What was asked of whom, by Ray's promise of an answer.
        self._asked: dict[Any, tuple[_Member, str]] = {}
        self._photos: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._early: list[Event] = []
        self._down = False

    @property
    def workers(self) -> Sequence[str]:
        return list(self._cards)

    @property
    def page(self) -> str:
        return self.cluster.page

    def start(self) -> None:
        """Raises WorldError when there is no Ray."""
        self.cluster.start()
        if not self.cluster.ours and not self._settings.cpu and not self.cluster.cards():
            raise WorldError("The cluster tells of no graphics card. Add --cpu to draw on its processors.")
        for name in self._cards:
            self._begin(name)

    def submit(self, worker: str, job: Job, files: Mapping[str, bytes]) -> None:
        member = self._members[worker]
        member.job = job
        photos = {name: self._photo(job.files.get(name, ""), data) for name, data in files.items()}
        self._ask(member, "draw", pickle.dumps(job), photos)

    def poll(self, timeout: float) -> list[Event]:
        import ray

        events, self._early = self._early, []
        lost = "" if self._down else self.cluster.lost()
        if lost:
            return [*events, *self._head_lost(lost)]
        if not self._asked:
            time.sleep(min(timeout, 0.1))
            return events
        ready, others = ray.wait(list(self._asked), num_returns=1, timeout=0 if events else timeout)
        if ready and others:
            ready += ray.wait(others, num_returns=len(others), timeout=0)[0]
        for promise in ready:
            if promise in self._asked:
                events += self._hear(promise)
        return events

    def restart(self, worker: str) -> None:
        if self._down:
            self._down = False
            self.cluster.again()
        else:
            self._kill(self._members[worker])
        self._begin(worker)

    def ask(self, worker: str, path: str) -> bytes:
        answer: bytes = self._call(worker, "ask", path)
        return answer

    def digest(self, worker: str, path: str) -> str:
        answer: str = self._call(worker, "digest", path)
        return answer

    def stop(self, now: bool) -> None:
        if self._members and not now and not self._down:
            self._close()
        for member in self._members.values():
            self._kill(member)
        self._members = {}
        self.cluster.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _close(self) -> None:
        import ray

        with contextlib.suppress(ray.exceptions.RayError):
            closing = [m.actor.close.remote() for m in self._members.values() if not m.told]
            ray.wait(closing, num_returns=len(closing), timeout=_PATIENCE) if closing else None

    def _begin(self, name: str) -> None:
        import ray

        # Not restarted by Ray but by the driver, who knows what the worker was at.
        how: dict[str, Any] = {"max_restarts": 0, "max_task_retries": 0, "num_cpus": 0}
        how["concurrency_groups"] = {"watching": 1}
        if not self.cluster.ours:
            how |= {"num_cpus": max(1, self._settings.threads), "scheduling_strategy": "SPREAD"}
            how["num_gpus"] = 0 if self._settings.cpu else 1
        made: Any = ray.remote(**how)
        packed = pickle.dumps((name, self._settings, self._cards[name]))
        member = self._members[name] = _Member(name, made(actor_class()).remote(str(REPOSITORY), packed))
        self._ask(member, "boot")
        self._ask(member, "watch")

    def _ask(self, member: _Member, what: str, *values: Any) -> None:
        method = getattr(member.actor, what)
        if what == "watch":
            method = method.options(concurrency_group="watching")
        self._asked[method.remote(*values)] = member, what

    def _hear(self, promise: Any) -> list[Event]:
        """What an answer says. That an actor is gone is told once, with an outcome for the job it had."""
        import ray

        member, what = self._asked.pop(promise)
        try:
            answer = ray.get(promise)
        except ray.exceptions.RayError as error:
            return self._died(member, _reason(error))
        if what == "watch":
            self._ask(member, "watch")
            return list(answer) if member.job is not None else []
        if what == "boot":
            self.cluster.note()
            return self._died(member, answer.why, answer.world) if isinstance(answer, Died) else [answer]
        outcome, *gone = answer
        member.job = None
        return [outcome, *(self._died(member, gone[0].why) if gone else [])]

    def _died(self, member: _Member, why: str, world: bool = False, state: State = "worker") -> list[Event]:
        self._asked = {p: asked for p, asked in self._asked.items() if asked[0] is not member}
        job, member.job = member.job, None
        told, member.told = member.told, True
        left: list[Event] = [] if job is None else [Outcome(job, member.name, state, error=why)]
        return left if told else [*left, Died(member.name, why, world)]

    def _head_lost(self, why: str) -> list[Event]:
        """No row did that: what was drawn goes back into the queue."""
        self._down = True
        self._photos.clear()
        return [event for m in self._members.values() for event in self._died(m, why, state="lost")]

    def _kill(self, member: _Member) -> None:
        import ray

        self._asked = {p: asked for p, asked in self._asked.items() if asked[0] is not member}
        member.job, member.told = None, True
        if not self._down:
            with contextlib.suppress(ray.exceptions.RayError):
                ray.kill(member.actor)

    def _call(self, worker: str, what: str, path: str) -> Any:
        import ray

        try:
            value, wrong = ray.get(getattr(self._members[worker].actor, what).remote(path), timeout=_ANSWER)
        except ray.exceptions.RayError as error:
            raise ConnectionError(f"{worker} died: {_reason(error)}") from error
        if wrong:
            raise ConnectionError(f"{worker} can't answer: {wrong}")
        return value

    def _photo(self, sha256: str, data: bytes) -> Any:
        """Ray's name for a photo, which is put into its store once; the longest unused ones go."""
        import ray

        if sha256 not in self._photos:
            self._photos[sha256] = ray.put(data), len(data)
            while len(self._photos) > 1 and sum(size for _, size in self._photos.values()) > _PHOTOS:
                self._photos.popitem(last=False)
        self._photos.move_to_end(sha256)
        return self._photos[sha256][0]


@dataclass(eq=False)
class _Member:
    """Our end of an actor. told: that it is gone."""

    name: str
    actor: Any
    job: Job | None = None
    told: bool = False


def _reason(error: Exception) -> str:
    """The sentences of Ray's error, without what it lists."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("\t")]
    return " ".join(lines[:3]) or type(error).__name__
