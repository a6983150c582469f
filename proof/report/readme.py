"""README's `Does it work?`: the contact sheet, a short table, the claims, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .claims import CLAIMS, FAILS, HOLDS, OPEN, Verdict
from .rows import row
from .shots import Shots

FIRST, LAST = "<!-- proof: written by `python -m proof world report` -->", "<!-- /proof -->"
_ROWS = (
    *("ceiling", "floor", "sdxl", "instantid", "instantid_identitynet", "arc2face", "pva", "pva_tuned"),
    *("emojidiff_instantid", "instantid_copying", "freecure"),
)
_MEANS = """\
**Does it work?** Measured in a small drawn world: portraits by a formula, and networks that were trained
on them in a few hours of two CPU cores. They run in the real ComfyUI through these nodes, unchanged, and are
judged by networks that took no part, on people whom none of them has seen. That shows which methods work from
end to end, and nothing about photographs or the published weights:
[what was proven, how, and what not](docs/proof/README.md)."""


def block(shots: Mapping[str, Shots], verdicts: Mapping[str, Verdict], people: int) -> str:
    """Markdown: the sheet, the rows, the claims as they stand."""
    lines = [f"| {people} unseen people | likeness to their other picture | of what was asked for is there |"]
    lines.append("| --- | --- | --- |")
    for name in _ROWS:
        if name in shots:
            likeness, worn = (shots[name].estimate(measure) for measure in ("likeness", "attributes"))
            wide = f"{likeness.mean:.2f} ({likeness.low:.2f} to {likeness.high:.2f})"
            lines.append(f"| {row(name).title} | {wide} | {worn.mean:.0%} |")
    sheet = "![People of the drawn world, and what each method makes of them](docs/proof/first.jpg)"
    return "\n\n".join([_MEANS, sheet, "\n".join(lines), *_claims(verdicts)])


def _claims(verdicts: Mapping[str, Verdict]) -> list[str]:
    """By name: the page has the evidence. Those not measured by number."""
    told: dict[str, list[str]] = {HOLDS: [], FAILS: [], OPEN: []}
    for claim in CLAIMS:
        verdict = verdicts[claim.name]
        told[verdict.state].append(claim.says)
    parts = []
    for state, word in ((HOLDS, "Holds"), (FAILS, "Does not hold yet")):
        if told[state]:
            parts.append(f"**{word}:** {'; '.join(told[state])}.")
    if told[OPEN]:
        parts.append(f"Not measured yet: {len(told[OPEN])} of the {len(CLAIMS)} claims.")
    return parts


def put(text: str, file: Path) -> None:
    """Between the marks of a README; one without marks is left alone."""
    whole = file.read_text(encoding="utf-8")
    before, first, rest = whole.partition(FIRST)
    _, last, after = rest.partition(LAST)
    if first and last:
        file.write_text(f"{before}{FIRST}\n{text}\n{LAST}{after}", encoding="utf-8", newline="\n")
