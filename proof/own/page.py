"""The run as one HTML file, pictures included, that opens anywhere and asks nobody for anything."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Iterable, Sequence
from html import escape

from PIL import Image

from ..report import plots
from ..report.measures import Estimate
from .people import photo
from .prompts import GROUPS
from .shots import Row, Shot
from .summary import (
    DIFFERENCE,
    Difference,
    Run,
    against_itself,
    differences,
    headline,
    labelled,
    line,
    said,
)

#: Of pictures in the page, and how many people have theirs there.
_SIDE, _PEOPLE = 192, 12
#: A bootstrap over fewer people than this knows too little of how they differ.
_ENOUGH = 8

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1f2933;max-width:1200px;margin:2em auto;padding:0 1em}
table{border-collapse:collapse;margin:1em 0;display:block;overflow-x:auto}
th,td{border-bottom:1px solid #c3cad2;padding:.3em .7em;text-align:left;white-space:nowrap}
th{font-weight:600}tr.end td{color:#60707f}figure{display:inline-block;margin:.3em;vertical-align:top}
figcaption{font-size:12px;max-width:192px;overflow-wrap:anywhere}pre{white-space:pre-wrap;background:#eef2f6;
padding:.8em}.no{font-weight:700;color:#b00020}
"""

_READ = f"""Intervals hold 95 % (bootstrap over people: pictures of one person are alike). <b>To truth</b>:
cosine with the person's other photos, which no model was shown; 0 where no face is found. <b>Copy-paste</b>:
1 is the reference again, -1 the truth, 0 as far from both. <b>To others</b>: to everybody else's photos.
<b>Expression error</b>: how far the face's proportions lie outside of what the prompt asks.
<b>Attributes</b>: the part of those asked for that the face parser sees as asked. <b>Sharpness</b>: of the
aligned face. A method is judged by every recogniser that is there but the one that it draws by. A difference
counts when its interval does not hold 0; <i>needed</i> is for one of {DIFFERENCE:g}, seen 4 times in 5."""


def page(run: Run, pictures: bool = True) -> str:
    """pictures: whether photos and drawn pictures are in it; people's names and labels are."""
    judge = headline(run)
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        f"<title>Likeness: proof on your own weights</title><style>{_STYLE}</style>",
        "<h1>Proof on your own weights</h1>",
        f"<p>{len(run.people)} people, {len(run.prompts)} prompts, {run.seeds} pictures of each.",
        f"{_few(run)}</p>",
        f"<p>{_READ}</p><pre>{escape(line(run))}</pre>",
        *_left_out(run),
        *(section for name in run.judges for section in _judged(run, name)),
        "<h2>Beside the likeness</h2>",
        _table(["", *_BESIDE], [_beside(row) for row in run.rows]),
        *_groups(run, judge),
        *_labels(run, judge),
        "<h2>Differences</h2>",
        _differences(differences(run.rows)),
        "<h2>A method against itself</h2><p>Other noise alone must make no difference; one interval of "
        "twenty misses 0 by chance.</p>",
        _differences([one for row in run.methods for one in against_itself(row)]),
        "<h2>Does it measure?</h2>",
        _answers(run),
    ]
    if pictures:
        parts += _pictures(run)
    return "\n".join([*parts, "</html>", ""])


def _few(run: Run) -> str:
    if len(run.people) >= _ENOUGH:
        return ""
    return f" <b>Fewer than {_ENOUGH} people: intervals are too narrow, whatever they say.</b>"


_BESIDE = ("faces right", "expression error", "attributes", "sharpness", "seconds", "MB at most", "drawn by")


def _left_out(run: Run) -> list[str]:
    if not run.left_out:
        return []
    lines = "".join(f"<li>{escape(name)}: {escape(why)}</li>" for name, why in run.left_out.items())
    return [f"<p>Not measured:</p><ul>{lines}</ul>"]


def _judged(run: Run, judge: str) -> list[str]:
    measures = ("truth", "reference", "copy_paste", "others")
    rows, dots = [], []
    for row in run.rows:
        if judge not in row.judges:
            rows.append([row.title, "draws by this recogniser", "", "", ""])
            continue
        each = [row.estimate(f"{measure}:{judge}") for measure in measures]
        rows.append([row.title, *map(said, each)])
        dots.append((row.title, each[0]))
    marks = [run.row(name).estimate(f"truth:{judge}").mean for name in ("wrong_person", "ceiling")]
    return [
        f"<h2>Likeness, judged by {escape(judge)}</h2>",
        _table(["", "to truth", "to reference", "copy-paste", "to others"], rows),
        plots.dots(f"To truth, by {judge}", dots, -0.2, 1.0, [m for m in marks if not math.isnan(m)]),
    ]


def _beside(row: Row) -> list[str]:
    faces, *rest = (row.estimate(name) for name in ("faces", "expression", "attributes", "sharpness"))
    seconds, memory = row.estimate("seconds"), row.estimate("memory")
    most = max((shot.values.get("memory", math.nan) for shot in row.shots), default=math.nan)
    return [
        row.title,
        _part(faces),
        said(rest[0]),
        _part(rest[1]),
        said(rest[2]),
        "-" if not seconds.count else f"{seconds.mean:.1f}",
        "-" if not memory.count else f"{most:.0f}",
        row.about if row.method else "",
    ]


def _groups(run: Run, judge: str | None) -> list[str]:
    if judge is None:
        return []

    def cells(row: Row) -> list[str]:
        return [said(row.estimate(f"truth:{judge}", lambda shot, g=g: shot.group == g)) for g in GROUPS]  # type: ignore[misc]

    rows = [[row.title, *cells(row)] for row in run.rows if row.shots and row.shots[0].file]
    return [f"<h2>To truth by kinds of prompts ({escape(judge)})</h2>", _table(["", *GROUPS], rows)]


def _labels(run: Run, judge: str | None) -> list[str]:
    labels = labelled(run.people)
    if judge is None or not labels:
        return []

    def cells(row: Row) -> Iterable[str]:
        for whom in labels.values():
            keep: Callable[[Shot], bool] = lambda shot, whom=whom: shot.person in whom  # type: ignore[misc] # noqa: E731
            yield said(row.estimate(f"truth:{judge}", keep))

    rows = [[row.title, *cells(row)] for row in run.rows if judge in row.judges]
    return [f"<h2>To truth by labels ({escape(judge)})</h2>", _table(["", *labels], rows)]


def _differences(found: Sequence[Difference]) -> str:
    rows = [
        [
            f"{one.first} less {one.second}",
            one.measure,
            f"{one.estimate.mean:+.3f} ({one.estimate.low:+.3f} to {one.estimate.high:+.3f})",
            "yes" if one.estimate.low > 0 or one.estimate.high < 0 else "no",
            "-" if one.people is None else f"{one.people} people, {one.pictures} pictures",
        ]
        for one in found
    ]
    return _table(["", "measure", "difference", "apart", "needed of each"], rows)


def _answers(run: Run) -> str:
    words = {True: "yes", False: "NO", None: "not asked"}
    rows = [[one.name, one.question, one.found, words[one.right]] for one in run.answers]
    return _table(["", "question", "measured", "as it must be"], rows)


def _pictures(run: Run) -> list[str]:
    parts = ["<h2>Pictures</h2>"]
    for place, person in list(enumerate(run.people))[:_PEOPLE]:
        shown = [(person.reference, "the reference"), *((path, "a truth") for path in person.truths[:2])]
        for row in run.rows:
            shots = [shot for shot in row.shots if shot.file and shot.person == place and shot.count == 0]
            shown += [(shot.file, f"{row.title}: {shot.key[0]}") for shot in shots if shot.file]
        figures = (
            f"<figure><img src='{_embedded(photo(path))}' alt=''>"
            f"<figcaption>{escape(text)}</figcaption></figure>"
            for path, text in shown
        )
        parts += [f"<h3>{escape(person.name)}</h3>", *figures]
    return parts


def _embedded(picture: object) -> str:
    small = Image.fromarray(picture)  # type: ignore[arg-type]
    small.thumbnail((_SIDE * 2, _SIDE))
    written = io.BytesIO()
    small.save(written, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(written.getvalue()).decode()


def _part(one: Estimate) -> str:
    return "-" if not one.count else f"{one.mean:.0%} ({one.low:.0%} to {one.high:.0%})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{lines}</table>"
