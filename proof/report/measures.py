"""Numbers of a report, in closed form: angles, copy-paste, and intervals over people."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.algebra import copy_paste as formula

Numbers = NDArray[np.float64]
#: Draws of a bootstrap, and the part of them that an interval holds.
DRAWS, INSIDE = 2000, 0.95


def cosine(first: Numbers, second: Numbers) -> Numbers:
    """Of vectors [..., D] of any length."""
    lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    return np.asarray((first * second).sum(-1) / np.maximum(lengths, 1e-12))


def angle(first: Numbers, second: Numbers) -> Numbers:
    """Radians, 0 to pi, of vectors [..., D]: the pack's own measure."""
    return np.asarray(formula.angle(torch.from_numpy(first), torch.from_numpy(second)))


def copy_paste(out: Numbers, truth: Numbers, reference: Numbers) -> Numbers:
    """1: the picture is the reference; -1: it is the person's other picture; 0: as far from both.

    NaN where truth and reference can't be told apart. The pack's own measure.
    """
    return np.asarray(formula.copy_paste(*(torch.from_numpy(one) for one in (out, truth, reference))))


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval, over `count` people; NaN when there is nothing to measure."""

    mean: float
    low: float
    high: float
    count: int

    def apart_from(self, other: Estimate) -> bool:
        """Whether the intervals do not touch."""
        return self.low > other.high or self.high < other.low


def estimate(values: Numbers, people: NDArray[np.int64], seed: int = 0) -> Estimate:
    """Mean over all values; the interval by drawing people, not pictures: those of one person are alike.

    NaN values were not measurable and take no part.
    """
    there = np.isfinite(values)
    values, people = values[there], people[there]
    if not len(values):
        return Estimate(math.nan, math.nan, math.nan, 0)
    _, places = np.unique(people, return_inverse=True)
    sums, counts = np.bincount(places, values), np.bincount(places)
    chosen = np.random.default_rng(seed).integers(len(sums), size=(DRAWS, len(sums)))
    means = sums[chosen].sum(1) / counts[chosen].sum(1)
    low, high = np.quantile(means, [(1 - INSIDE) / 2, (1 + INSIDE) / 2])
    return Estimate(float(values.mean()), float(low), float(high), len(sums))


def needed(spread: float, difference: float = 0.02, sure: float = 0.95, power: float = 0.8) -> int:
    """How many people show a difference between two rows of the same people.

    spread: deviation of the difference from person to person. Two-sided, by the normal distribution.
    """
    normal = NormalDist()
    reach = normal.inv_cdf(1 - (1 - sure) / 2) + normal.inv_cdf(power)
    return max(2, math.ceil((reach * spread / difference) ** 2))


def points_error(found: Numbers, asked: Numbers) -> Numbers:
    """Mean distance of five points [..., 5, 2] in parts of the asked eyes' distance."""
    eyes = np.linalg.norm(asked[..., 1, :] - asked[..., 0, :], axis=-1)
    return np.asarray(np.linalg.norm(found - asked, axis=-1).mean(-1) / np.maximum(eyes, 1e-9))


def monotone(means: list[float], tolerance: float = 0.0) -> bool:
    """Whether each is at least as large as the one before, but for the tolerance."""
    return all(later >= earlier - tolerance for earlier, later in pairwise(means))
