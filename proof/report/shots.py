"""What was measured of a row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import measures

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Shots:
    """What was measured of a row: an entry for each person in each picture.

    people: numbers of cases. likeness: to the person's other picture, 0 without a face. reference: to the
    picture that was given. whole: see Judges. copy_paste, points: NaN without a face. attributes: the part
    of those asked for that is there; right [n, 6]: each. second: likeness to what Row.second says. reading:
    what Row.reads names. seconds: of a CPU, for each picture. pictures [KEPT, H, W, 3]: the first ones.
    """

    people: NDArray[np.int64]
    found: NDArray[np.bool_]
    whole: NDArray[np.bool_]
    likeness: Numbers
    reference: Numbers
    copy_paste: Numbers
    expression: Numbers
    attributes: Numbers
    right: NDArray[np.bool_]
    points: Numbers
    second: Numbers
    reading: Numbers
    seconds: Numbers
    pictures: NDArray[np.uint8]

    def measure(self, name: str) -> Numbers:
        """By name; `faces`: found or not; `own`: more like themselves than like the second person."""
        if name == "faces":
            return self.found.astype(float)
        if name == "whole":
            return self.whole.astype(float)
        if name == "own":
            return (self.likeness > self.second).astype(float)
        if name == "rise":
            return self._rise()
        values: Numbers = getattr(self, name)
        return values

    def _rise(self) -> Numbers:
        """Of rows that show one person several times: how much more the last reading is than the first, at
        the last one; NaN at the others."""
        rows = self.steps("reading")
        made = np.full(rows.shape, np.nan)
        made[:, -1] = rows[:, -1] - rows[:, 0]
        return made.ravel()

    def steps(self, name: str) -> Numbers:
        """[pictures, steps]: a measure of rows that show one person several times side by side."""
        return self.measure(name).reshape(len(self.seconds), -1)

    def by_step(self, name: str) -> list[measures.Estimate]:
        """The same as means over the pictures, each with its interval."""
        whom = self.people.reshape(len(self.seconds), -1)[:, 0]
        return [measures.estimate(values, whom) for values in self.steps(name).T]

    def estimate(self, name: str) -> measures.Estimate:
        return measures.estimate(self.measure(name), self.people)


MEASURES = (
    "likeness",
    "reference",
    "copy_paste",
    "expression",
    "attributes",
    "points",
    "second",
    "faces",
    "whole",
    "own",
    "reading",
    "rise",
)
