"""The driver: hands jobs to workers, decides whose fault a failure is, and notes everything in the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from . import outputs, resume
from .crew import Crew
from .ledger import JobId, Ledger, Output
from .plan import FileChanged, Plan
from .pool import Pool
from .progress import Progress
from .settings import Judge, Settings, Verdict
from .values import Died, Event, Job, Outcome, Ready, RowError, WorldError
from .waiting import Waiting

#: A row that cost so many workers is put into quarantine.
DEATHS = 2
#: A job that a host forgot so often is taken for the worker's fault.
LOSSES = 3
#: Seconds beyond --timeout after which a worker that says nothing at all is taken for hung.
GRACE = 60.0


@dataclass
class _Busy:
    job: Job
    since: float


@dataclass
class Driver:
    """`run()` until all is drawn, or until it is asked to stop. ended: told of each job that ended.

    early: what the pool told before, such as who is ready.
    """

    pool: Pool
    ledger: Ledger
    plan: Plan
    progress: Progress
    folder: Path
    settings: Settings = field(default_factory=Settings)
    judge: Judge | None = None
    ended: Callable[[JobId], None] | None = None
    early: Sequence[Event] = ()

    def __post_init__(self) -> None:
        self._waiting = Waiting()
        self._busy: dict[str, _Busy] = {}
        self._losses: dict[JobId, int] = {}
        self._crew = Crew(self.pool, self.progress, self.settings.recycle, self.settings.memory_limit)
        self._stop = self._now = self._said = False

    def stop(self) -> None:
        """Once: finish what runs. Twice: stop now. May be called from a signal handler."""
        self._now, self._stop = self._stop, True

    @property
    def stopped(self) -> bool:
        return self._stop

    def run(self) -> None:
        """Raises WorldError. The pool was started, and is not stopped here."""
        self._fill()
        rows = sum(1 for _ in self.plan.first_jobs())
        self.progress.begin(rows, rows - len(self._waiting))
        try:
            for event in self.early:
                self._hear(event)
            while not self._now and (self._busy or (len(self._waiting) and not self._stop)):
                self._hand_out()
                self._crew.check(self._now or self._stop)
                self._say_that_it_stops()
                for event in self.pool.poll(0.2):
                    self._hear(event)
                self._watch_the_clock()
                self._crew.renew(self._busy)
        finally:
            for busy in self._busy.values():
                self._give_back(busy.job)

    def _say_that_it_stops(self) -> None:
        """Not in the handler: a signal may come while something else is being written."""
        if self._stop and not self._said:
            self._said = True
            self.progress.say("Finishing what runs; Ctrl-C again stops now.")

    def _fill(self) -> None:
        """Jobs that wait, those that stopped workers before last; done ones whose files are gone, again."""
        for words in resume.lost_files(self.ledger, self.plan, self.folder):
            self.progress.say(words)
        resume.open_tries(self.ledger, self.plan, self.settings.tries)
        records = [r for r in self.ledger.records("waiting") if r.key in self.plan.places]
        for record in sorted(records, key=lambda r: (bool(r.error), r.row, r.repeat, r.attempt)):
            self._waiting.put(record.id, self.plan.group(record))

    def _hand_out(self) -> None:
        if self._stop:
            return
        for worker in self._crew.idle(self._busy):
            others = [name for name in self._crew.living if name != worker]
            name = self._waiting.take(worker, others)
            if name is None:
                continue
            job = self.plan.job(*name)
            try:
                files = self.plan.files(job)
            except FileChanged as error:
                self.ledger.failed(Outcome(job, worker, "row", error=str(error)))
                self._tell(job, "failed", str(error))
                continue
            self.ledger.handed_out(name, worker)
            self._busy[worker] = _Busy(job, time.monotonic())
            self.pool.submit(worker, job, files)
            self.progress.worker(worker, f"row {job.row}")

    def _hear(self, event: Any) -> None:
        if isinstance(event, Ready):
            self._crew.ready(event)
        elif isinstance(event, Died):
            self._crew.died(event)
        elif isinstance(event, Outcome):
            busy = self._busy.get(event.worker)
            if busy is not None and busy.job.id == event.job.id:
                del self._busy[event.worker]
                try:
                    if event.state in ("done", "row"):
                        # The worker goes on while its pictures are written and made durable.
                        self._crew.did(event)
                        self._hand_out()
                finally:
                    self._note(event)
        elif busy := self._busy.get(event.worker):
            step = f" {event.step}/{event.steps}" if event.steps else ""
            self.progress.worker(event.worker, f"row {busy.job.row}: {event.node}{step}")

    def _note(self, outcome: Outcome) -> None:
        job = outcome.job
        if outcome.state == "world":
            self._give_back(job)
            where = f"{outcome.node}: " if outcome.node else ""
            raise WorldError(f"{where}{outcome.error}")
        if outcome.state == "done":
            self._keep(outcome)
        elif outcome.state == "row":
            self._fail(outcome)
        elif outcome.state == "lost":
            self._lose(outcome)
        else:
            self._blame_worker(outcome)
        if outcome.worker not in self._busy:
            self.progress.worker(outcome.worker, "idle")

    def _fail(self, outcome: Outcome) -> None:
        self.ledger.failed(outcome)
        words = f"{outcome.node}: {outcome.error}" if outcome.node else outcome.error
        self._tell(outcome.job, "failed", words)

    def _keep(self, outcome: Outcome) -> None:
        verdict, place = None, outputs.PICTURES
        try:
            if self.judge is not None:
                for picture in outcome.pictures:
                    outputs.check(picture)
                verdict = self.judge(outcome)
                place = self.settings.places[0 if verdict.accepted else 1]
            files = outputs.save(self.folder, outcome.job, outcome.pictures, place)
        except outputs.DamagedPicture as error:
            self._blame_worker(replace(outcome, state="worker", error=str(error)))
            return
        except RowError as error:
            self._fail(replace(outcome, state="row", error=str(error)))
            return
        except WorldError:
            self._give_back(outcome.job)
            raise
        if verdict is not None:
            files = [replace(f, judged=each) for f, each in zip(files, verdict.each, strict=True)]
        if verdict is None or verdict.accepted:
            self.ledger.done(outcome, files, verdict.judged if verdict else None)
            self._tell(outcome.job, "done")
            return
        self._reject(outcome, files, verdict)

    def _reject(self, outcome: Outcome, files: list[Output], verdict: Verdict) -> None:
        job = outcome.job
        following = resume.following(self.plan, job, self.settings.tries)
        self.ledger.rejected(outcome, files, verdict.judged, following)
        if following is not None:
            record = self.ledger.record((job.key, job.repeat, following[0]))
            if record is not None and record.state == "waiting":
                self._waiting.put(record.id, self.plan.group(record), first=True)
            if self.ended is not None:
                self.ended(job.id)
        else:
            self._tell(job, "rejected", f"the judge took none of {job.attempt + 1} attempts")

    def _lose(self, outcome: Outcome) -> None:
        job = outcome.job
        self._losses[job.id] = self._losses.get(job.id, 0) + 1
        if self._losses[job.id] >= LOSSES:
            self._blame_worker(outcome)
            return
        self.ledger.waits_again(job.id, outcome.error, False)
        self._back(job)

    def _blame_worker(self, outcome: Outcome) -> None:
        """Another worker tries; a row that cost two of them is left aside."""
        job = outcome.job
        self._crew.spoilt(outcome.worker, outcome.error)
        record = self.ledger.record(job.id)
        if record is not None and record.worker_deaths + 1 >= DEATHS:
            self.ledger.quarantined(outcome)
            self._tell(job, "quarantined", outcome.error)
            return
        self.ledger.waits_again(job.id, outcome.error, True)
        self.progress.say(f"row {job.row} goes to another worker: {outcome.error}")
        self._back(job, outcome.worker)

    def _back(self, job: Job, avoid: str = "") -> None:
        record = self.ledger.record(job.id)
        if record is not None:
            self._waiting.put(record.id, self.plan.group(record), first=True, avoid=avoid)

    def _give_back(self, job: Job) -> None:
        """It was not ended: it waits for the next run. What can't be noted now is noted by that."""
        try:
            self.ledger.waits_again(job.id, "", False)
        except WorldError:
            return  # a job that still "runs" waits again when the ledger is opened next

    def _watch_the_clock(self) -> None:
        """Workers time themselves; one whose process itself is stuck says nothing."""
        limit = self.settings.timeout + GRACE
        for worker, busy in list(self._busy.items()):
            if time.monotonic() - busy.since > limit:
                del self._busy[worker]
                words = f"{worker} said nothing for {limit:.0f} s."
                self._blame_worker(Outcome(busy.job, worker, "worker", seconds=limit, error=words))

    def _tell(self, job: Job, state: str, sentence: str = "") -> None:
        if self.ended is not None:
            self.ended(job.id)
        self.progress.row(job.row, state, sentence)
