"""The first screen of the repository's README: the contact sheet, a short table, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .claims import HOLDS, OPEN, Verdict
from .rows import row
from .running import Shots

FIRST, LAST = "<!-- proof: written by `python -m proof world report` -->", "<!-- /proof -->"
_ROWS = ("ceiling", "floor", "sdxl", "instantid", "arc2face", "pva_tuned", "emojidiff_instantid", "freecure")
_MEANS = """\
What you see is a small drawn world: portraits by a formula, and networks that were trained on them in a
few hours of two CPU cores. They run in the real ComfyUI through these nodes, unchanged, and are judged
by networks that took no part, on people whom none of them has seen. Where a claim holds, the method
works from end to end; where it does not yet, the page says what is known of why. Nothing here says
anything about photographs or the published weights. [What was proven, and how](docs/proof/README.md)"""


def table(shots: Mapping[str, Shots], verdicts: Mapping[str, Verdict], people: int) -> str:
    """Markdown."""
    lines = [
        f"| {people} unseen people | likeness to their other picture | copy-paste | asked-for attributes |"
    ]
    lines.append("| --- | --- | --- | --- |")
    for name in _ROWS:
        if name not in shots:
            continue
        likeness, copied, worn = (
            shots[name].estimate(measure) for measure in ("likeness", "copy_paste", "attributes")
        )
        cells = [row(name).title, f"{likeness.mean:.2f} ({likeness.low:.2f} to {likeness.high:.2f})"]
        lines.append(f"| {' | '.join([*cells, f'{copied.mean:.2f}', f'{worn.mean:.0%}'])} |")
    asked = [verdict for verdict in verdicts.values() if verdict.state != OPEN]
    held = sum(verdict.state == HOLDS for verdict in asked)
    told = f"{held} of the {len(asked)} claims measured so far hold. {_MEANS}"
    sheet = "![People of the drawn world, and what each method makes of them](docs/proof/first.jpg)"
    return "\n\n".join([sheet, "\n".join(lines), told])


def put(text: str, file: Path) -> None:
    """Between the marks of a README; one without marks is left alone."""
    whole = file.read_text(encoding="utf-8")
    before, first, rest = whole.partition(FIRST)
    _, last, after = rest.partition(LAST)
    if first and last:
        file.write_text(f"{before}{FIRST}\n{text}\n{LAST}{after}", encoding="utf-8", newline="\n")
