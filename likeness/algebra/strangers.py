"""How alike strangers are, measured: the curve of a calibration file from pictures of known people.

Every picture is compared with every other: those of two people are strangers' pairs, those of one person
genuine pairs. Pairs of one person resemble each other, so intervals come from drawing people, not pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

#: Rates that are looked for, and how many strangers' pairs must be above a similarity for it to count.
RATES = (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 1_000_000)
LEAST_PAIRS = 10
#: Draws of people for an interval, and the part of them that it holds.
DRAWS, INSIDE = 1000, 0.95
_BINS = 4000


@dataclass(frozen=True)
class Point:
    """One stranger's pair in so many reaches the similarity; low, high: the interval of that number, high
    may be infinite. same: the part of genuine pairs that reach it; NaN without any."""

    similarity: float
    one_in: float
    low: float
    high: float
    same: float


@dataclass(frozen=True)
class Measured:
    """points, rising. groups: the same similarities among the people of each group. people, pictures: how
    many; strangers, same: how many pairs."""

    points: tuple[Point, ...]
    groups: dict[str, tuple[Point, ...]]
    people: int
    pictures: int
    strangers: int
    same: int


def measure(vectors: torch.Tensor, people: Sequence[int], groups: Sequence[str] = ()) -> Measured:
    """From vectors [N, D] of any length, whose each is (0, 1, ...), and the group of each person.

    The points are those of RATES which the pairs reach, each at the least similarity, to half a thousandth,
    that is as rare. Raises ValueError for fewer than two people, and for too few pairs for a single point.
    """
    count = max(people, default=-1) + 1
    if count < 2:
        raise ValueError(
            f"Pictures of {count} people were found; strangers need at least two, each in a folder of their "
            "own."
        )
    units = torch.nn.functional.normalize(vectors.double(), dim=1)
    whose = torch.tensor(people)
    tables = _Tables(units, whose, count)
    bars = [bar for bar in (tables.bar(rate) for rate in RATES) if bar is not None]
    bars = sorted(set(bars))
    if not bars:
        raise ValueError(
            f"{tables.strangers} pairs of strangers are too few: even the half of them is fewer than "
            f"{LEAST_PAIRS}. Add people or pictures."
        )
    above = tables.above(bars)
    everybody = torch.ones(count, dtype=torch.bool)
    named = sorted({name for name in groups if name})
    inside = {name: torch.tensor([one == name for one in groups]) for name in named}
    return Measured(
        _points(bars, above, tables.pairs, everybody),
        {name: _points(bars, above, tables.pairs, who) for name, who in inside.items() if int(who.sum()) > 1},
        count,
        len(units),
        tables.strangers,
        tables.same,
    )


class _Tables:
    """Pairs of people: how many pairs of pictures, and how many of them reach a similarity."""

    def __init__(self, units: torch.Tensor, whose: torch.Tensor, count: int) -> None:
        self._units, self._whose, self._count = units, whose, count
        sizes = torch.bincount(whose, minlength=count).double()
        self.pairs = sizes[:, None] * sizes[None, :]
        self.pairs.diagonal().copy_(sizes * (sizes - 1))
        self.same = int(self.pairs.diagonal().sum()) // 2
        self.strangers = int(self.pairs.sum() - self.pairs.diagonal().sum()) // 2
        self._histogram = self._counted()

    def _rows(self, person: int) -> torch.Tensor:
        """Cosines of one person's pictures with all, [n, N]; with itself below every bar."""
        own = torch.nonzero(self._whose == person)[:, 0]
        cosines = (self._units[own] @ self._units.T).clamp(-1, 1)
        cosines[torch.arange(len(own)), own] = -2
        return cosines

    def _counted(self) -> torch.Tensor:
        """Strangers' pairs by similarity, both ways, [_BINS]."""
        total = torch.zeros(_BINS, dtype=torch.float64)
        for person in range(self._count):
            other = self._rows(person)[:, self._whose != person].flatten()
            bins = ((other + 1) / 2 * _BINS).long().clamp(0, _BINS - 1)
            total += torch.bincount(bins, minlength=_BINS)
        return total

    def bar(self, rate: float) -> float | None:
        """The least similarity, to a bin, that at most one pair in `rate` reaches; None: too few pairs do."""
        reach = self._histogram.flip(0).cumsum(0).flip(0)
        rare = torch.nonzero(reach <= reach[0] / rate)[:, 0]
        if not len(rare) or float(reach[rare[0]]) / 2 < LEAST_PAIRS:
            return None
        return float(rare[0]) / _BINS * 2 - 1

    def above(self, bars: Sequence[float]) -> torch.Tensor:
        """Pairs of pictures that reach each bar, of each pair of people, [bars, P, P]."""
        counts = torch.zeros(len(bars), self._count, self._count, dtype=torch.float64)
        for person in range(self._count):
            cosines = self._rows(person)
            for n, bar in enumerate(bars):
                reach = (cosines >= bar).sum(0).double()
                counts[n, person].index_add_(0, self._whose, reach)
        return counts


def _points(
    bars: Sequence[float], above: torch.Tensor, pairs: torch.Tensor, who: torch.Tensor
) -> tuple[Point, ...]:
    """The points among the people of `who` [P] bool."""
    total, count = pairs[who][:, who], int(who.sum())
    draws = _drawn(count)
    points = []
    for bar, reach in zip(bars, above[:, who][:, :, who], strict=True):
        own, others = reach.diagonal().sum(), reach - torch.diag(reach.diagonal())
        strangers = total - torch.diag(total.diagonal())
        hits, all_of_them = float(others.sum()), float(strangers.sum())
        part = _spread(draws, others) / _spread(draws, strangers).clamp(min=1)
        low, high = (float(part.quantile(q)) for q in ((1 - INSIDE) / 2, (1 + INSIDE) / 2))
        genuine = float(total.diagonal().sum())
        points.append(
            Point(
                bar,
                all_of_them / hits if hits else math.inf,
                1 / high if high else math.inf,
                1 / low if low else math.inf,
                float(own) / genuine if genuine else math.nan,
            )
        )
    return tuple(points)


def _drawn(count: int) -> torch.Tensor:
    """How often each of `count` people is in each draw, [DRAWS, count]."""
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randint(count, (DRAWS, count), generator=generator)
    return torch.zeros(DRAWS, count, dtype=torch.float64).scatter_add_(
        1, chosen, torch.ones(DRAWS, count, dtype=torch.float64)
    )


def _spread(draws: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """The sum of a table of pairs of people [P, P] in each draw, [DRAWS]. Somebody drawn twice is no stranger
    to themselves: the table's diagonal is 0."""
    return ((draws @ table) * draws).sum(1)


def as_curve(measured: Measured, source: str) -> dict[str, Any]:
    """What a calibration file holds of one recogniser."""
    about = {"people": measured.people, "pictures": measured.pictures}
    curve = {"points": _listed(measured.points), "source": source, **about}
    if measured.groups:
        curve["groups"] = {name: _listed(points) for name, points in measured.groups.items()}
    return curve


def _listed(points: Sequence[Point]) -> list[dict[str, float | None]]:
    def number(value: float) -> float | None:
        return round(value, 4) if math.isfinite(value) else None

    return [
        {
            "similarity": round(point.similarity, 4),
            "one_in": number(point.one_in),
            "low": number(point.low),
            "high": number(point.high),
            "same": number(point.same),
        }
        for point in points
    ]
