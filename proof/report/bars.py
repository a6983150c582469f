"""Bars that a report must clear, kept in bars.json beside this file; sentences for those that fall."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .shots import MEASURES, Shots

FILE = Path(__file__).with_name("bars.json")


@dataclass(frozen=True)
class Bar:
    """row's measure, less that of `minus` when there is one, must be at_least or at_most so much."""

    name: str
    row: str
    measure: str
    minus: str = ""
    at_least: float | None = None
    at_most: float | None = None

    def fallen(self, rows: Mapping[str, Shots]) -> str:
        """A sentence that names it, or nothing. A row that could not be drawn is a bar that fell."""
        for needed in filter(None, (self.row, self.minus)):
            if needed not in rows:
                return f"The bar {self.name} can't be asked: the row {needed} was not drawn."
        value = rows[self.row].estimate(self.measure).mean
        value -= rows[self.minus].estimate(self.measure).mean if self.minus else 0.0
        what = f"{self.measure} of the row {self.row}" + (f" less that of {self.minus}" if self.minus else "")
        # Written so that a NaN falls, too.
        if self.at_least is not None and not value >= self.at_least:
            return f"The bar {self.name} fell: {what} is {value:.3f}, at least {self.at_least:g} is asked."
        if self.at_most is not None and not value <= self.at_most:
            return f"The bar {self.name} fell: {what} is {value:.3f}, at most {self.at_most:g} is asked."
        return ""


def read(file: Path, kind: str) -> list[Bar]:
    """kind: `quick` or `full`. Raises ValueError for a bar that is none."""
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    bars = [Bar(**entry) for entry in document.get(kind, [])]
    for bar in bars:
        if bar.measure not in MEASURES or (bar.at_least is None) == (bar.at_most is None):
            raise ValueError(f"{file.name}: the bar {bar.name} needs a measure, and at_least or at_most.")
    return bars


def fallen(bars: Sequence[Bar], rows: Mapping[str, Shots]) -> list[str]:
    """The sentences of all that fell."""
    return [said for said in (bar.fallen(rows) for bar in bars) if said]
