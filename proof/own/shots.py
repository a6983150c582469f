"""What was measured: a shot is one person in one picture, a row all shots of a method or of true photos."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..report.measures import Estimate, estimate
from . import measures
from .drawing import Drawn
from .judges import Judges, Seen, chosen
from .looks import Looks
from .people import Person
from .prompts import Prompt

Numbers = NDArray[np.float64]

#: Of every recogniser: to the truths, to the reference, copy-paste, to everybody else's truths.
BY_JUDGE = ("truth", "reference", "copy_paste", "others")
#: Of the picture, whoever judges.
OTHERS = ("faces", "expression", "attributes", "sharpness", "seconds", "memory")


@dataclass(frozen=True)
class Shot:
    """values: by measure, `truth:sface`; NaN where there is nothing to measure. key: what the same picture of
    another method has in common with this one."""

    person: int
    group: str
    key: tuple[str, tuple[int, ...], int]
    count: int
    values: dict[str, float]
    file: Path | None = None


@dataclass(frozen=True)
class Row:
    """judges: those that may judge it."""

    name: str
    title: str
    shots: tuple[Shot, ...]
    judges: tuple[str, ...]
    about: str = ""
    method: bool = field(default=False)

    def estimate(self, measure: str, keep: Callable[[Shot], bool] = lambda shot: True) -> Estimate:
        shots = [shot for shot in self.shots if keep(shot)]
        values = np.array([shot.values.get(measure, math.nan) for shot in shots], dtype=np.float64)
        return estimate(values, np.array([shot.person for shot in shots], dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Known:
    """One person's photos as every recogniser sees them: reference [D], truths [n, D]."""

    reference: dict[str, Numbers]
    truths: dict[str, Numbers]
    seen: tuple[Seen, ...]


def known(people: Sequence[Person], looks: Looks) -> list[Known]:
    """Everybody's photos, looked at. Raises ValueError for a photo without a face."""
    return [_known(person, looks) for person in people]


def _known(person: Person, looks: Looks) -> Known:
    seen = []
    for path in (person.reference, *person.truths):
        look = looks.look(path)
        if not len(look):
            raise ValueError(f"{path} shows no face: take another photo of {person.name}.")
        seen.append(look)
    vectors = {name: np.stack([look.vectors[name][0] for look in seen]) for name in looks.judges.names}
    return Known(
        {name: all_[0] for name, all_ in vectors.items()},
        {name: all_[1:] for name, all_ in vectors.items()},
        tuple(seen[1:]),
    )


def likeness(vector: Numbers | None, place: int, everybody: Sequence[Known], judge: str) -> dict[str, float]:
    """BY_JUDGE of one face [D]; None for no face, which is like nobody: 0, and copies nothing: NaN."""
    own = everybody[place]
    truths, reference = own.truths[judge], own.reference[judge]
    if vector is None:
        made = 0.0, 0.0, math.nan, 0.0
    else:
        others = [one.truths[judge] for n, one in enumerate(everybody) if n != place]
        made = (
            measures.to_photos(vector, truths),
            measures.to_photos(vector, reference[None]),
            measures.copied(vector, truths, reference),
            float(np.mean([measures.to_photos(vector, one) for one in others])) if others else math.nan,
        )
    return {f"{name}:{judge}": value for name, value in zip(BY_JUDGE, made, strict=True)}


def shots_of(drawn: Drawn, seen: Seen, everybody: Sequence[Known], judges: Sequence[str]) -> list[Shot]:
    """A shot for each person who should be in a picture."""
    job = drawn.job
    made = []
    for place, face in zip(job.people, chosen(seen, len(job.people)), strict=True):
        values = of_face(seen, face, job.prompt)
        values |= {"faces": float(seen.count == len(job.people))}
        values |= {"seconds": drawn.seconds, "memory": drawn.memory}
        for judge in judges:
            vector = None if face is None else seen.vectors[judge][face]
            values |= likeness(vector, place, everybody, judge)
        key = job.prompt.name, job.people, job.count
        made.append(Shot(place, job.prompt.group, key, job.count, values, drawn.file))
    return made


def of_face(seen: Seen, face: int | None, prompt: Prompt) -> dict[str, float]:
    """What is asked of a face beside whose it is. Without a face no attribute is there as asked."""
    if face is None:
        missed = 0.0 if prompt.attributes else math.nan
        return {"expression": math.nan, "attributes": missed, "sharpness": math.nan}
    return {
        "expression": measures.expression_error(seen.ratios[face], prompt.expression),
        "attributes": measures.attributes_right(seen.shares[face], prompt.attributes),
        "sharpness": float(seen.sharpness[face]),
    }


def ceiling(everybody: Sequence[Known], judges: Sequence[str]) -> Row:
    """Two real photos: each truth against the person's others, of an only one against the reference."""
    shots = []
    for place, one in enumerate(everybody):
        for n, seen in enumerate(one.seen):
            values = {"faces": float(seen.count == 1), "sharpness": float(seen.sharpness[0])}
            for judge in judges:
                own, rest = one.truths[judge][n], np.delete(one.truths[judge], n, axis=0)
                found = likeness(own, place, everybody, judge)
                if len(rest):
                    found[f"truth:{judge}"] = measures.to_photos(own, rest)
                    found[f"copy_paste:{judge}"] = measures.copied(own, rest, one.reference[judge])
                else:
                    found[f"truth:{judge}"] = found[f"reference:{judge}"]
                    found[f"copy_paste:{judge}"] = math.nan
                values |= found
            shots.append(Shot(place, "", ("photo", (place,), n), n, values))
    return Row("ceiling", "two real photos", tuple(shots), tuple(judges), "as like as can be")


def wrong_person(everybody: Sequence[Known], judges: Sequence[str]) -> Row:
    """The next one's true photos, taken for the person's."""
    shots = []
    for place in range(len(everybody)):
        other = everybody[(place + 1) % len(everybody)]
        for n, seen in enumerate(other.seen):
            values = {"faces": float(seen.count == 1), "sharpness": float(seen.sharpness[0])}
            for judge in judges:
                values |= likeness(other.truths[judge][n], place, everybody, judge)
                # Whose photo it is belongs to "everybody else": compared with themselves.
                values[f"others:{judge}"] = math.nan
            shots.append(Shot(place, "", ("photo", (place,), n), n, values))
    return Row(
        "wrong_person", "somebody else's photo", tuple(shots), tuple(judges), "as like as strangers are"
    )


def may_judge(judges: Judges, conditioners: Sequence[str]) -> tuple[str, ...]:
    """Every recogniser but those that the pictures were drawn by, under whatever name their files lie."""
    own = {name for one in conditioners for name in judges.same_network(one)}
    return tuple(name for name in judges.names if name not in own)
