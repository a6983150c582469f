"""Adapters trained from other seeds: does what a row says have the same direction for each of them?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..host_files import digest
from ..training.running import needed
from ..training.stages import STAGES, Rooms
from .rows import row
from .shots import Shots

#: So many people at most: a direction needs fewer than a number.
PEOPLE = 24
#: A row, the one it begins from, and what of it must rise (1) or fall (-1).
DIRECTIONS: tuple[tuple[str, str, str, int], ...] = (
    ("instantid", "sdxl", "likeness", 1),
    ("instantid_identitynet", "instantid", "points", -1),
    ("arc2face", "floor", "likeness", 1),
    ("arc2face_expression", "arc2face", "expression", -1),
    ("arc2face_reference", "arc2face", "attributes", 1),
    ("arc2face_pose", "arc2face", "points", -1),
    ("pva", "floor", "likeness", 1),
    ("emojidiff", "silent_sd15", "expression", -1),
    ("emojidiff_instantid", "silent_instantid", "expression", -1),
)


@dataclass(frozen=True)
class Direction:
    """What a row's measure is more than its base's, by seed; "" is each stage's own."""

    row: str
    base: str
    measure: str
    sign: int
    gains: Mapping[str, float]

    @property
    def same(self) -> bool:
        return all(self.sign * gain > 0 for gain in self.gains.values())


def trained(folder: Path, rooms: Rooms) -> dict[str, Path]:
    """Files of a seed's folder by stage. Raises ValueError when one was trained beside other files than
    today's."""
    found = {}
    for one in STAGES:
        file = folder / f"{one.name}.safetensors"
        if not file.with_suffix(".json").is_file():
            continue
        for need in sorted(needed([one.name])):
            beside, now = folder / f"{need}.safetensors", rooms.models / f"{need}.safetensors"
            own = beside.with_suffix(".json").is_file()
            if not own and (not now.is_file() or digest(beside) != digest(now)):
                raise ValueError(
                    f"{file} was trained beside another {need} than there is now: remove {folder} and run "
                    f"`python -m proof world train --only {one.name} --seed {folder.name}`."
                )
        found[one.name] = file
    return found


def touched(stages: Iterable[str], drawn: Iterable[str]) -> list[str]:
    """Of the rows that were drawn, those whose direction is asked and that depend on any of these stages;
    with the rows that they begin from."""
    mine = [name for name in drawn if set(row(name).needs()) & set(stages)]
    asked = [pair for name, base, _, _ in DIRECTIONS if name in mine for pair in (name, base)]
    return [name for name in mine if name in asked]


def directions(usual: Mapping[str, Shots], others: Mapping[str, Mapping[str, Shots]]) -> list[Direction]:
    """Of the rows that other seeds have drawn; a base that does not depend on the seed is the usual one."""
    found = []
    for name, base, measure, sign in DIRECTIONS:
        gains = {}
        for seed, shots in {"": usual, **others}.items():
            both = {**usual, **shots}
            if name in shots and base in both:
                gains[seed] = _gain(both[name], both[base], measure)
        if len(gains) > 1:
            found.append(Direction(name, base, measure, sign, gains))
    return found


def _gain(shots: Shots, base: Shots, measure: str) -> float:
    """Over the people that both show."""
    people = np.intersect1d(shots.people, base.people)
    own, other = (
        float(np.nanmean(one.measure(measure)[np.isin(one.people, people)])) for one in (shots, base)
    )
    return own - other


def section(found: Sequence[Direction], people: int) -> list[str]:
    """Of the page; nothing where no other seed has drawn."""
    if not found:
        return []
    told = (
        "Adapters were trained once more from other seeds, from nothing, on the same trunks, in a part of "
        "the steps: enough for a direction, not for a number. What a row's measure is more than that of the "
        f"row it begins from, over {min(people, PEOPLE)} people:"
    )
    return ["## Other seeds of training", "", told, "", *table(found), ""]


def table(found: Sequence[Direction]) -> list[str]:
    """Markdown."""
    seeds = sorted({seed for one in found for seed in one.gains})
    heads = [f"seed {seed}" if seed else "as committed" for seed in seeds]
    lines = [f"| row | against | measure | {' | '.join(heads)} | the same direction |"]
    lines.append("| --- " * (4 + len(seeds)) + "|")
    for one in found:
        gains = [f"{one.gains[seed]:+.3f}" if seed in one.gains else "" for seed in seeds]
        verdict = "yes" if one.same else "**no**"
        cells = [row(one.row).title, row(one.base).title, one.measure, *gains, verdict]
        lines.append(f"| {' | '.join(cells)} |")
    return lines
