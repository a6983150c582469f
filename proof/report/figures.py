"""Which plots a report shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import plots
from .rows import Row, rounds, weights
from .shots import Shots


def plots_of(rows: Sequence[Row], shots: Mapping[str, Shots]) -> dict[str, str]:
    """SVG by file name, of the rows that are there."""
    shown = [row for row in rows if row.table and row.name in shots]
    likeness = [(row.title, shots[row.name].estimate("likeness")) for row in shown]
    marks = [shots[name].estimate("likeness").mean for name in ("floor", "ceiling") if name in shots]
    made = {"likeness.svg": plots.dots("Likeness to the person's other picture", likeness, -0.2, 1.0, marks)}
    copied = [(row.title, shots[row.name].estimate("copy_paste")) for row in shown]
    title = "Copy-paste: -1 the other picture, 1 the reference"
    made["copy_paste.svg"] = plots.dots(title, copied, -1.0, 1.0, [0.0])
    names = [weights.name(weight) for weight in weights.WEIGHTS]
    if all(name in shots for name in names):
        rising = [shots[name].estimate("likeness") for name in names]
        made["weights.svg"] = plots.curve("Likeness at InstantID's weight", weights.WEIGHTS, rising, marks)
    for name, title in (("rounds_alone", "nothing done"), ("rounds", "Repair Faces after each")):
        if name in shots:
            after = shots[name].by_step("likeness")
            text = f"Likeness after rounds of edits, {title}"
            made[f"{name}.svg"] = plots.curve(text, range(1, rounds.ROUNDS + 1), after, marks)
    return made
