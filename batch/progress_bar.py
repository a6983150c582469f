"""The bar at a terminal: rows, rate, what remains, what failed, and a line for each worker."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from .progress import Count, note, whole


class Bar:
    """See `progress.Progress`. What is said scrolls by above the bar."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._console = Console(file=out)
        self._count = Count(0)
        self._workers: dict[str, str] = {}
        self._bar = Progress(BarColumn(), TextColumn("{task.percentage:>3.0f} %"), console=self._console)
        self._live = Live(console=self._console, refresh_per_second=4, get_renderable=self._table)

    def begin(self, rows: int, finished: int) -> None:
        self._count = Count(rows, finished)
        self._task = self._bar.add_task("", total=rows, completed=finished)
        self._live.start()

    def worker(self, name: str, doing: str) -> None:
        self._workers[name] = doing

    def row(self, number: int, state: str, sentence: str = "") -> None:
        note(self._count, state)
        self._bar.advance(self._task)
        if state != "done":
            self.say(f"row {number} {state}: {sentence}")

    def say(self, sentence: str) -> None:
        self._console.print(sentence, markup=False, highlight=False)

    def end(self, sentence: str) -> None:
        self._live.stop()
        self.say(sentence)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 1))
        table.add_row(self._bar)
        table.add_row(whole(self._count))
        for name, doing in sorted(self._workers.items()):
            table.add_row(f"{name}: {doing}")
        return table
