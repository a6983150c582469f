"""What a run says while it goes."""

from __future__ import annotations

import io
import json

import pytest

from batch.progress import PLAIN_EVERY, Count, Json, Plain, choose, spell, whole
from batch.progress_bar import Bar


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_rows_of_earlier_runs_say_nothing_about_the_rate(clock: Clock) -> None:
    count = Count(100, finished=40, clock=clock)
    clock.now = 60
    count.done = 2
    assert count.per_minute is None and count.remaining is None, "two rows are too few"
    count.done, count.failed = 9, 1
    assert count.per_minute == 10 and count.left == 50
    assert count.remaining == 300
    assert whole(count) == "49 of 100 rows, 1 failed, 10 a minute, 5 min left"


@pytest.mark.parametrize(
    "seconds, said",
    [
        (4.4, "4 s"),
        (59, "59 s"),
        (90, "2 min"),
        (3 * 3600 + 1200, "3 h 20 min"),
        (2 * 86400 + 14400, "2 d 4 h"),
    ],
)
def test_a_length_of_time_is_spelt_as_one_reads_it(seconds: float, said: str) -> None:
    assert spell(seconds) == said


def test_plain_lines_say_a_failure_at_once_and_the_whole_now_and_then(clock: Clock) -> None:
    out = io.StringIO()
    plain = Plain(out, clock)
    plain.begin(6, 1)
    plain.row(2, "done")
    assert out.getvalue() == "6 rows, 1 of them done before.\n"
    plain.row(3, "failed", "no face in 'wall.jpg'")
    assert out.getvalue().endswith("row 3 failed: no face in 'wall.jpg'\n")
    clock.now = PLAIN_EVERY
    plain.row(4, "done")
    assert out.getvalue().endswith("\n3 of 6 rows, 1 failed, 18 a minute, 7 s left\n")
    plain.end("4 of 6 rows.")
    assert out.getvalue().endswith("4 of 6 rows.\n")


def test_programs_get_an_object_a_line() -> None:
    out = io.StringIO()
    lines = Json(out)
    lines.begin(2, 0)
    lines.worker("1", "starting")
    lines.row(1, "failed", "Gesicht über dem Rand")
    lines.end("1 of 2 rows failed.")
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["begin", "worker", "row", "end"]
    assert events[2]["sentence"] == "Gesicht über dem Rand" and events[2]["rows_left"] == 1
    assert events[3]["failed"] == 1 and events[3]["done"] == 0


def test_the_bar_shows_workers_and_lets_failures_scroll_by() -> None:
    out = io.StringIO()
    bar = Bar(out)
    bar.begin(3, 1)
    bar.worker("worker 1", "row 2: Sampler 3/20")
    bar.row(2, "failed", "no [face] found")
    bar.end("Stopped.")
    said = out.getvalue()
    assert "row 2 failed: no [face] found" in said, "brackets of a sentence are not rich's markup"
    assert "1 of 3 rows, 1 failed" in said and "worker 1: row 2: Sampler 3/20" in said


def test_what_is_shown_depends_on_where_it_goes() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert isinstance(choose(True, Terminal()), Json)
    assert isinstance(choose(False, io.StringIO()), Plain)
    assert isinstance(choose(False, Terminal()), Bar)
