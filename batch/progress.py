"""What a run says while it goes: a bar at a terminal, plain lines elsewhere, JSON lines for programs.

Progress is shown and never decided on: what is done stands in the ledger.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO

#: Seconds between two plain lines about the whole; what fails is said at once.
PLAIN_EVERY = 10.0
#: Rows that must have ended in this run before the time that remains is said.
ENOUGH = 3


@dataclass
class Count:
    """Rows of a run. `finished` were done before it began: they say nothing about the rate."""

    rows: int
    finished: int = 0
    done: int = 0
    failed: int = 0
    clock: Callable[[], float] = time.monotonic
    began: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    @property
    def ended(self) -> int:
        """Rows that ended in this run, well or not."""
        return self.done + self.failed

    @property
    def left(self) -> int:
        return self.rows - self.finished - self.ended

    @property
    def per_minute(self) -> float | None:
        """Rows a minute in this run; None before enough have ended."""
        seconds = self.clock() - self.began
        return 60 * self.ended / seconds if self.ended >= ENOUGH and seconds > 0 else None

    @property
    def remaining(self) -> float | None:
        """Seconds until the last row, at the rate so far."""
        return 60 * self.left / self.per_minute if self.per_minute else None


class Progress(Protocol):
    """Who shows how a run goes. All calls come from the driver's thread."""

    def begin(self, rows: int, finished: int) -> None:
        """The run starts: so many rows, so many of them done by earlier runs."""

    def worker(self, name: str, doing: str) -> None:
        """What a worker does now, such as "row 12: Sampler 3/20" or "starting"."""

    def row(self, number: int, state: str, sentence: str = "") -> None:
        """A row ended: done, failed, quarantined or rejected, and why."""

    def say(self, sentence: str) -> None:
        """Anything else that a reader should know."""

    def end(self, sentence: str) -> None:
        """The run is over."""


class Json:
    """One JSON object a line, at once."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out, self._count = out or sys.stdout, Count(0)

    def begin(self, rows: int, finished: int) -> None:
        self._count = Count(rows, finished)
        self._write("begin", rows=rows, finished=finished)

    def worker(self, name: str, doing: str) -> None:
        self._write("worker", worker=name, doing=doing)

    def row(self, number: int, state: str, sentence: str = "") -> None:
        note(self._count, state)
        rate, left = self._count.per_minute, self._count.remaining
        facts = {"rows_per_minute": rate, "seconds_left": left, "rows_left": self._count.left}
        self._write("row", row=number, state=state, sentence=sentence, **facts)

    def say(self, sentence: str) -> None:
        self._write("say", sentence=sentence)

    def end(self, sentence: str) -> None:
        facts = {"done": self._count.done, "failed": self._count.failed, "rows_left": self._count.left}
        self._write("end", sentence=sentence, **facts)

    def _write(self, event: str, **facts: Any) -> None:
        self._out.write(json.dumps({"event": event, **facts}, ensure_ascii=False) + "\n")
        self._out.flush()


class Plain:
    """Lines for a log: what failed at once, the whole every ten seconds."""

    def __init__(self, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._out, self._clock = out or sys.stdout, clock
        self._count, self._said = Count(0), 0.0

    def begin(self, rows: int, finished: int) -> None:
        self._count = Count(rows, finished, clock=self._clock)
        self._said = self._clock()
        self.say(counted(rows, "row") + (f", {finished} of them done before." if finished else "."))

    def worker(self, name: str, doing: str) -> None:
        """Of workers a log wants to know no step."""

    def row(self, number: int, state: str, sentence: str = "") -> None:
        note(self._count, state)
        if state != "done":
            self.say(f"row {number} {state}: {sentence}")
        if self._clock() - self._said >= PLAIN_EVERY:
            self._said = self._clock()
            self.say(whole(self._count))

    def say(self, sentence: str) -> None:
        self._out.write(sentence + "\n")
        self._out.flush()

    def end(self, sentence: str) -> None:
        self.say(whole(self._count))
        self.say(sentence)


def note(count: Count, state: str) -> None:
    if state == "done":
        count.done += 1
    else:
        count.failed += 1


def whole(count: Count) -> str:
    """Where the run stands, in a line: "120 of 300 rows, 2 failed, 41 a minute, 4 min left"."""
    parts = [f"{count.finished + count.done} of {counted(count.rows, 'row')}"]
    parts += [f"{count.failed} failed"] if count.failed else []
    if count.per_minute is not None:
        parts += [f"{count.per_minute:.0f} a minute", f"{spell(count.remaining or 0)} left"]
    return ", ".join(parts)


def counted(number: int, what: str) -> str:
    """1 row, 2 rows."""
    return f"{number} {what}" + ("" if number == 1 else "s")


def spell(seconds: float) -> str:
    """A length of time as one reads it: 40 s, 12 min, 3 h 20 min, 2 d 4 h."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def choose(as_json: bool, out: TextIO | None = None) -> Progress:
    """JSON when asked for, a bar at a terminal, else plain lines."""
    out = out or sys.stdout
    if as_json:
        return Json(out)
    if not out.isatty():
        return Plain(out)
    from .progress_bar import Bar  # rich is loaded only where it is shown

    return Bar(out)
