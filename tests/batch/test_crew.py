"""Which workers are restarted and which are given up, by what they told."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest

from batch.crew import BOOTS, DEATHS, Crew
from batch.progress import Plain
from batch.values import Died, Job, Outcome, Ready, WorldError


class Restarts:
    """As much of a pool as a crew asks: it notes who was restarted."""

    def __init__(self, *workers: str) -> None:
        self.workers: Sequence[str] = workers
        self.asked: list[str] = []

    def restart(self, worker: str) -> None:
        self.asked.append(worker)


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


def made(said: io.StringIO) -> tuple[Crew, Restarts]:
    pool = Restarts("worker-1")
    crew = Crew(pool, Plain(said))  # type: ignore[arg-type]
    crew.ready(Ready("worker-1"))
    return crew, pool


def test_a_worker_that_does_not_come_up_is_given_up(said: io.StringIO) -> None:
    crew, pool = made(said)
    for _ in range(BOOTS + 1):
        crew.died(Died("worker-1", "No card."))
        crew.renew(())
    assert pool.asked == ["worker-1"] * BOOTS
    assert f"worker-1 is given up after {BOOTS} restarts in a row: No card." in said.getvalue()
    with pytest.raises(WorldError, match="No card"):
        crew.check(stopping=False)


def test_one_that_comes_up_each_time_has_more_patience_for_rows_that_kill_it(said: io.StringIO) -> None:
    crew, pool = made(said)
    for _ in range(DEATHS):
        crew.died(Died("worker-1", "Its host is gone."))
        crew.renew(())
        crew.ready(Ready("worker-1"))
    assert len(pool.asked) == DEATHS
    crew.did(Outcome(Job("k", 1, 0, 0, None, {}), "worker-1", "done"))
    crew.died(Died("worker-1", "Its host is gone."))
    crew.renew(())
    assert len(pool.asked) == DEATHS + 1 and not said.getvalue(), "a drawing begins the count anew"
    for _ in range(DEATHS):
        crew.ready(Ready("worker-1"))
        crew.died(Died("worker-1", "Its host is gone."))
        crew.renew(())
    assert f"given up after {DEATHS} restarts in a row" in said.getvalue()
