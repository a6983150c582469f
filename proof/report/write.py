"""Puts a report down: a page, plots, contact sheets and the numbers as JSON. Deterministic but for times."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import figures, seeds, sheets, shown
from .cases import cases
from .claims import CLAIMS, HOLDS, OPEN, Verdict
from .measures import Estimate
from .rows import Row
from .running import KEPT, rates
from .seeds import Direction
from .selftest import Answer
from .shots import MEASURES, Shots

#: What the page says it proves, and what not; kept by hand in this file.
MEANING = Path(__file__).with_name("meaning.md")
#: What is known of why a claim does not hold yet; also by hand.
NOTES = Path(__file__).with_name("notes.md")
#: In the README's sheet, which is to be short.
_SHOWN = ("sdxl", "instantid", "instantid_identitynet", "arc2face", "pva", "freecure")


_READ = """\
Intervals hold 95 % (bootstrap over people). Likeness: cosine of the judge's vectors to the person's *other*
picture, 0 where no face is found. Copy-paste: 1 is the reference, -1 the other picture, 0 as far from both.
Expression: mean error of five numbers from -1 to 1. Attributes: hair, glasses, hat, beard and background as
asked. Whole faces: eyes, nose and mouth of usual size where they belong, and brows seen, by the parser (which
FreeCure's rows also draw with). Points: mean distance from where the same detector finds them in the true
picture, in parts of the eyes' distance, of rows that were told where they are to be."""


@dataclass(frozen=True)
class Report:
    """shots: of the rows that were drawn. lacking: stages or files of those that were not. seeds: what other
    seeds' files say. demo: of its person, by rows; kept one by one in shown/."""

    kind: str
    people: int
    steps: int
    rows: Sequence[Row]
    shots: Mapping[str, Shots]
    lacking: Mapping[str, list[str]]
    answers: Sequence[Answer]
    verdicts: Mapping[str, Verdict]
    fallen: Sequence[str]
    networks: Mapping[str, Any]
    seeds: Sequence[Direction] = ()
    demo: Mapping[str, Shots] = field(default_factory=dict)


def write(report: Report, folder: Path) -> None:
    """README.md, report.json, *.svg, *.jpg and shown/ in the folder; what was there of them is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, bytes] = {
        "report.json": (json.dumps(_numbers(report), indent=1, sort_keys=True) + "\n").encode(),
        **{name: text.encode() for name, text in figures.plots_of(report.rows, report.shots).items()},
        **_sheets(report),
    }
    files["README.md"] = _page(report, sorted(files)).encode()
    files |= shown.files(report.demo)
    for old in (folder / "shown").glob("*.jpg") if report.demo else ():
        old.unlink()
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        part = folder / f"{name}.part"
        part.write_bytes(content)
        os.replace(part, folder / name)


def _numbers(report: Report) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    times: dict[str, float] = {}
    for name, shots in report.shots.items():
        estimates = {measure: shots.estimate(measure) for measure in MEASURES}
        rows[name] = {
            measure: {"mean": _round(one.mean), "low": _round(one.low), "high": _round(one.high)}
            for measure, one in estimates.items()
            if one.count
        }
        rows[name] |= {
            "pictures": len(shots.seconds),
            "shots": len(shots.people),
            "rates": rates(report.shots, name),
        }
        times[name] = round(float(shots.seconds.mean()), 2)
    return {
        "kind": report.kind,
        "people": report.people,
        "steps": report.steps,
        "rows": rows,
        "not_trained": dict(report.lacking),
        "claims": {name: vars(verdict) for name, verdict in report.verdicts.items()},
        "selftests": {
            answer.name: {"found": answer.found, "right": answer.right} for answer in report.answers
        },
        "fallen": list(report.fallen),
        "seeds": [{**vars(one), "same": one.same} for one in report.seeds],
        "networks": dict(report.networks),
        "times_cpu_seconds_a_picture": times,
    }


def _round(value: float) -> float:
    return round(value, 4)


def _sheets(report: Report) -> dict[str, bytes]:
    people = cases(min(KEPT, report.people))
    given = [case.reference_drawing.picture for case in people]
    asked = [case.truth_drawing.picture for case in people]
    first = [
        ("reference", "what a method is given: nobody here was seen in training", given),
        ("the other picture", "how they look in the picture that the prompt asks for", asked),
    ]
    single = [row for row in report.rows if row.table and row.name in report.shots and row.people == 1]
    lines = [(row.title, row.about, list(report.shots[row.name].pictures[:KEPT])) for row in single]
    made = {"pictures.jpg": sheets.sheet("The drawn world: every row, the same people", [*first, *lines])}
    couples = [row for row in report.rows if row.people > 1 and row.name in report.shots]
    if couples:
        both = [(row.title, row.about, list(report.shots[row.name].pictures[: KEPT // 2])) for row in couples]
        made["couples.jpg"] = sheets.sheet("The drawn world: two in one picture", both)
    few = [row for row in single if row.name in _SHOWN]
    if few:
        lines = [(row.title, row.about, list(report.shots[row.name].pictures)) for row in few]
        title = "The drawn world: portraits by formula, networks trained on them"
        made["first.jpg"] = sheets.sheet(title, [*first, *lines], size=84)
    return made


def _page(report: Report, files: Sequence[str]) -> str:
    parts = [
        "# What was proven, and how",
        "",
        f"Written by `python -m proof world report{' --quick' if report.kind == 'quick' else ''}`: "
        f"{report.people} people whom no network has seen, {report.steps} steps a picture, on a CPU. Do not "
        "edit: what stands here is measured.",
        "",
        MEANING.read_text(encoding="utf-8").strip(),
        "",
        "## The table",
        "",
        *_table(report),
        "",
        _READ,
        "",
        *[f"![{name.removesuffix('.svg')}]({name})\n" for name in files if name.endswith(".svg")],
        "## The claims",
        "",
        *_claims(report),
        "",
        NOTES.read_text(encoding="utf-8").strip(),
        "",
        *seeds.section(report.seeds, report.people),
        "## Does the instrument measure?",
        "",
        *_answers(report),
        "",
        "## The pictures",
        "",
        *[f"![{name.removesuffix('.jpg')}]({name})\n" for name in files if name.endswith(".jpg")],
        "## The networks",
        "",
        *_networks(report),
        "",
    ]
    return "\n".join(parts)


def _table(report: Report) -> list[str]:
    lines = [
        "| what was drawn | pictures | faces | whole faces | likeness | to the reference | copy-paste | "
        "expression | attributes | points | CPU s |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in report.rows:
        if not row.table:
            continue
        if row.name not in report.shots:
            lines.append(
                f"| {row.title} | *not trained: {', '.join(report.lacking[row.name])}* | | | | | | | | | |"
            )
            continue
        shots = report.shots[row.name]
        wide = [_wide(shots.estimate(name)) for name in ("whole", "likeness", "reference", "copy_paste")]
        short = [f"{shots.estimate(name).mean:.2f}" for name in ("expression", "attributes")]
        cells = [
            row.title,
            str(len(shots.seconds)),
            f"{int(shots.found.sum())} of {len(shots.found)}",
            *wide,
            *short,
        ]
        points = shots.estimate("points").mean if row.poses else math.nan
        cells += ["" if math.isnan(points) else f"{points:.2f}", f"{shots.seconds.mean():.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _wide(one: Estimate) -> str:
    return "" if not one.count else f"{one.mean:.2f} ({one.low:.2f} to {one.high:.2f})"


def _claims(report: Report) -> list[str]:
    lines = ["| claim | | evidence |", "| --- | --- | --- |"]
    for claim in CLAIMS:
        verdict = report.verdicts[claim.name]
        state = verdict.state if verdict.state in (HOLDS, OPEN) else f"**{verdict.state}**"
        lines.append(f"| {claim.says} | {state} | {verdict.evidence} |")
    return lines


def _answers(report: Report) -> list[str]:
    words = {True: "yes", False: "**no**", None: "not drawn"}
    lines = ["| question | measured | as it must be |", "| --- | --- | --- |"]
    return lines + [f"| {one.question} | {one.found} | {words[one.right]} |" for one in report.answers]


def _networks(report: Report) -> list[str]:
    lines = ["| stage | file | measured on what it has not seen |", "| --- | --- | --- |"]
    for name, facts in report.networks.items():
        told = ", ".join(f"{key} {value}" for key, value in facts["figures"].items())
        lines.append(f"| {name} | {facts['megabytes']:.1f} MB | {told} |")
    return lines
