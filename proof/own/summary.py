"""A run in numbers: means with intervals over people, by groups and labels; what differences need."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from ..report.measures import Estimate, estimate, needed
from ..report.selftest import Answer
from .people import Person
from .prompts import GROUPS
from .shots import BY_JUDGE, OTHERS, Row, Shot

#: The difference in likeness that is asked for, as papers tell theirs.
DIFFERENCE = 0.02


@dataclass(frozen=True)
class Difference:
    """first less second in a measure, pair by pair. people, pictures: of each of the two that show DIFFERENCE
    four times in five; None for a spread that can't be known from so few."""

    first: str
    second: str
    measure: str
    estimate: Estimate
    people: int | None
    pictures: int | None


@dataclass(frozen=True)
class Run:
    """left_out: what was not drawn, by name, with the reason. checkpoints: of each row."""

    people: Sequence[Person]
    rows: Sequence[Row]
    prompts: Sequence[str]
    judges: Mapping[str, str]
    checkpoints: Mapping[str, str]
    conditioners: Mapping[str, Sequence[str]]
    answers: Sequence[Answer]
    left_out: Mapping[str, str]
    seeds: int

    def row(self, name: str) -> Row:
        return next(row for row in self.rows if row.name == name)

    @property
    def methods(self) -> list[Row]:
        return [row for row in self.rows if row.method]


def measures_of(row: Row) -> list[str]:
    """The measures a row may have, by name."""
    return [f"{name}:{judge}" for judge in row.judges for name in BY_JUDGE] + list(OTHERS)


def labelled(people: Sequence[Person]) -> dict[str, set[int]]:
    """Whose label is what: `age: 40s` to places."""
    found: dict[str, set[int]] = {}
    for place, person in enumerate(people):
        for name, value in person.labels.items():
            found.setdefault(f"{name}: {value}", set()).add(place)
    return dict(sorted(found.items()))


def differences(rows: Sequence[Row]) -> list[Difference]:
    """Every two rows that were drawn for the same prompts, by each recogniser that may judge both."""
    made = []
    for first, second in combinations([row for row in rows if row.shots and row.shots[0].file], 2):
        others = {(shot.key, shot.person): shot for shot in second.shots}
        pairs = [(s, others[s.key, s.person]) for s in first.shots if (s.key, s.person) in others]
        for judge in (judge for judge in first.judges if judge in second.judges) if pairs else ():
            measure = f"truth:{judge}"
            values = np.array([one.values[measure] - other.values[measure] for one, other in pairs])
            people = np.array([one.person for one, _ in pairs])
            made.append(_difference(first.name, second.name, measure, values, people, len(pairs)))
    return made


def against_itself(row: Row) -> list[Difference]:
    """The A/A test: every other picture of a method against the ones between; only their noise differs."""
    made = []
    for judge in row.judges:
        measure = f"truth:{judge}"
        halves: dict[tuple[Any, ...], tuple[list[float], list[float]]] = {}
        for shot in row.shots:
            key = shot.person, *shot.key[:2]
            halves.setdefault(key, ([], []))[shot.count % 2].append(shot.values[measure])
        both = {key: pair for key, pair in halves.items() if pair[0] and pair[1]}
        if both:
            values = np.array([np.mean(even) - np.mean(odd) for even, odd in both.values()])
            people = np.array([key[0] for key in both])
            drawn = sum(len(even) for even, _ in both.values())
            made.append(_difference(row.name, f"{row.name} again", measure, values, people, drawn))
    return made


def _difference(first: str, second: str, measure: str, values: Any, people: Any, pictures: int) -> Difference:
    """pictures: how many of each were compared."""
    whom = np.unique(people)
    many = None
    if len(whom) > 1:
        means = [values[people == one].mean() for one in whom]
        many = needed(float(np.std(means, ddof=1)), DIFFERENCE)
    each = None if many is None else math.ceil(many * pictures / len(whom))
    return Difference(first, second, measure, estimate(values, people), many, each)


def headline(run: Run) -> str | None:
    """The recogniser whose numbers are told first: of those that may judge every method the one that tells
    true photos of these people apart best. It knows nothing of what was drawn."""
    common = [name for name in run.judges if all(name in row.judges for row in run.methods)]
    return max(common, key=lambda name: apart(run, name), default=None)


def apart(run: Run, judge: str) -> float:
    """How much more alike two photos of a person are than photos of two people, in parts of their spread."""
    same, other = (
        np.array([shot.values[f"truth:{judge}"] for shot in run.row(name).shots])
        for name in ("ceiling", "wrong_person")
    )
    spread = math.sqrt((same.var() + other.var()) / 2)
    return float((same.mean() - other.mean()) / max(spread, 1e-9))


def line(run: Run) -> str:
    """To post: a line for each method, without a name of anybody."""
    told = []
    for row in run.methods:
        judge = headline(run) or max(row.judges, key=lambda name: apart(run, name), default=None)
        if judge is None:
            told.append(f"{row.name} on {run.checkpoints[row.name]}: drawn by every recogniser there is.")
            continue
        own, top, floor = (one.estimate(f"truth:{judge}") for one in (row, *_ends(run)))
        copied, faces, took = (row.estimate(m) for m in (f"copy_paste:{judge}", "faces", "seconds"))
        told.append(
            f"{row.name} on {run.checkpoints[row.name]}: likeness {said(own)} by {judge} (two real photos "
            f"{top.mean:.2f}, somebody else {floor.mean:.2f}), copy-paste {said(copied)}, faces right "
            f"{faces.mean:.0%}, {own.count} people, {_pictures(row)} pictures"
            + ("" if math.isnan(took.mean) else f", {took.mean:.1f} s each")
            + ". Likeness proof, github: python -m proof run"
        )
    return "\n".join(told)


def _ends(run: Run) -> tuple[Row, Row]:
    return run.row("ceiling"), run.row("wrong_person")


def _pictures(row: Row) -> int:
    return len({shot.file or shot.key for shot in row.shots})


def said(one: Estimate) -> str:
    return "-" if not one.count else f"{one.mean:.2f} ({one.low:.2f} to {one.high:.2f})"


def numbers(run: Run) -> dict[str, Any]:
    """All of it for JSON, not rounded; what can't be measured is null."""
    labels = labelled(run.people)
    rows = {}
    for row in run.rows:
        groups = {g: _estimates(row, lambda shot, g=g: shot.group == g) for g in GROUPS}  # type: ignore[misc]
        by_label = {
            label: _estimates(row, lambda shot, whom=whom: shot.person in whom)  # type: ignore[misc]
            for label, whom in labels.items()
        }
        rows[row.name] = {
            "title": row.title,
            "checkpoint": run.checkpoints.get(row.name, ""),
            "drawn_by": sorted(run.conditioners.get(row.name, ())),
            "judges": list(row.judges),
            "pictures": _pictures(row),
            "measures": _estimates(row),
            "groups": {name: found for name, found in groups.items() if found},
            "labels": {name: found for name, found in by_label.items() if found},
        }
    compared = [_told(one) for one in differences(run.rows)]
    again = [_told(one) for row in run.methods for one in against_itself(row)]
    return {
        "format": "likeness-own-proof/1",
        "people": len(run.people),
        "prompts": list(run.prompts),
        "seeds": run.seeds,
        "judges": dict(run.judges),
        "headline": headline(run),
        "rows": rows,
        "differences": compared,
        "against_itself": again,
        "selftests": [asdict(answer) for answer in run.answers],
        "left_out": dict(run.left_out),
        "line": line(run),
    }


def _estimates(row: Row, keep: Callable[[Shot], bool] = lambda shot: True) -> dict[str, Any]:
    found = {name: row.estimate(name, keep) for name in measures_of(row)}
    return {
        name: {"mean": one.mean, "low": one.low, "high": one.high, "people": one.count}
        for name, one in found.items()
        if one.count
    }


def _told(one: Difference) -> dict[str, Any]:
    facts = asdict(one)
    facts.update(facts.pop("estimate"))
    facts["people_needed"], facts["pictures_needed"] = facts.pop("people"), facts.pop("pictures")
    facts["people"] = facts.pop("count")
    return facts
