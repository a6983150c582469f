"""Which job a worker gets next: one of the models it has loaded, if there is any."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from itertools import islice

from .ledger import JobId

#: Groups of models that are looked at first.
_LOOKED = 100

Group = tuple[str, ...]


class Waiting:
    """Jobs that wait, by their models, in the order they were put in."""

    def __init__(self) -> None:
        self._groups: dict[Group, deque[JobId]] = {}
        self._at: dict[str, Group] = {}
        self._avoid: dict[JobId, str] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, job: JobId, group: Group, first: bool = False, avoid: str = "") -> None:
        """first: before all others of its group. avoid: a worker that it should not go to again."""
        queue = self._groups.setdefault(group, deque())
        if first:
            queue.appendleft(job)
        else:
            queue.append(job)
        if avoid:
            self._avoid[job] = avoid
        self._count += 1

    def take(self, worker: str, others: Sequence[str]) -> JobId | None:
        """The next for a worker. others: workers that live beside it, to which avoided jobs can go."""
        at = self._at.get(worker)
        job = self._from(at, worker, others) if at in self._groups else None
        if job is not None:
            return job
        there = Counter(group for other, group in self._at.items() if other != worker)
        # Where most jobs wait for each worker there; not all are asked where each row has its own models.
        for groups in (list(islice(self._groups, _LOOKED)), list(self._groups)):
            for group in sorted(groups, key=lambda group: (there[group] + 1) / len(self._groups[group])):
                job = self._from(group, worker, others)
                if job is not None:
                    return job
        return None

    def _from(self, group: Group | None, worker: str, others: Sequence[str]) -> JobId | None:
        queue = self._groups[group or ()]
        for place, job in enumerate(queue):
            if others and self._avoid.get(job) == worker:
                continue
            del queue[place]
            if not queue:
                del self._groups[group or ()]
            self._at[worker] = group or ()
            self._avoid.pop(job, None)
            self._count -= 1
            return job
        return None
