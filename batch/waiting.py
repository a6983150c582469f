"""Which job a worker gets next: one of the models it has loaded, if there is any."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

from .ledger import JobId

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
        groups = sorted(self._groups, key=lambda group: (group != at, self._crowd(group, worker)))
        for group in groups:
            queue = self._groups[group]
            for place, job in enumerate(queue):
                if others and self._avoid.get(job) == worker:
                    continue
                del queue[place]
                if not queue:
                    del self._groups[group]
                self._at[worker] = group
                self._avoid.pop(job, None)
                self._count -= 1
                return job
        return None

    def _crowd(self, group: Group, worker: str) -> float:
        """Less where more jobs wait for each worker that is at them."""
        there = Counter(at for other, at in self._at.items() if other != worker)[group]
        return (there + 1) / len(self._groups[group])
