"""report.html: one file that says how a batch went, for people. Written from the ledger at any time."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path

from . import drawings, sheets
from .ledger import ENDED, Ledger
from .progress import counted, spell
from .records import Record

NAME = "report.html"
#: Rows that the lists of the slowest and the failed name.
_SLOWEST, _FAILED = 20, 200
_STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#1f2933}"
    "table{border-collapse:collapse}td,th{padding:.2em .8em;border-bottom:1px solid #d5dbe1;text-align:left;"
    "vertical-align:top}img{display:block}.sheet{display:flex;flex-wrap:wrap;gap:8px}figure{margin:0}"
    "figcaption{font-size:12px;max-width:160px;overflow-wrap:anywhere}pre{white-space:pre-wrap;margin:0}"
)


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("report", help="write report.html: counts, rate, sentences, pictures")
    parser.add_argument("folder", type=Path, metavar="DIR", help="the --out of the run")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Raises LedgerError, OSError."""
    print(write(options.folder))
    return 0


def write(folder: Path) -> Path:
    """Raises LedgerError, OSError."""
    with Ledger(folder) as ledger:
        page = _page(ledger, folder)
    path, part = folder / NAME, folder / f"{NAME}.part"
    part.write_text(page, encoding="utf-8")
    part.replace(path)
    return path


def _page(ledger: Ledger, folder: Path) -> str:
    jobs = list(ledger.records())
    ended = [job for job in jobs if job.state in ENDED]
    parts = [
        _part("Counts", _counts(jobs)),
        _part("Rate", _rate(ended)),
        _part("Similarity", _similarity(ended)),
        _part("Failed rows", _failed(ended)),
        _part("Slowest rows", _slowest(ended)),
        _part("Time per node", _nodes(ended)),
        _part("Pictures", sheets.sheet(ledger, folder, "done")),
        _part("Rejected pictures", sheets.sheet(ledger, folder, "rejected")),
        _part("Drawn with", _lock(ledger)),
    ]
    title = escape(f"Batch {folder.resolve().name}")
    head = f"<meta charset='utf-8'><title>{title}</title><style>{_STYLE}</style>"
    body = f"<h1>{title}</h1>{''.join(parts)}"
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{body}</body></html>\n"


def _part(title: str, body: str) -> str:
    return f"<h2>{escape(title)}</h2>\n{body}\n" if body else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML already."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>" if rows else ""


def _counts(jobs: Sequence[Record]) -> str:
    counts = Counter(job.state for job in jobs)
    rows = [[state, str(counts[state])] for state in (*ENDED, "running", "waiting") if counts[state]]
    busy = sum(job.seconds or 0 for job in jobs)
    workers = len({job.worker for job in jobs if job.worker})
    both = counted(len({job.row for job in jobs}), "row"), counted(workers, "worker")
    more = f"<p>{', '.join(both)}, {spell(busy)} of work.</p>"
    return _table(["state", "drawings"], rows) + more


def _rate(ended: Sequence[Record]) -> str:
    times = sorted(job.ended for job in ended if job.ended is not None)
    if len(times) < 2 or times[0] == times[-1]:
        return ""
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(times[0]))
    said = f"<p>From {began} on, {spell(times[-1] - times[0])}.</p>"
    return said + drawings.bars(times, "drawings that ended", lambda value: spell(value - times[0]))


def _similarity(ended: Sequence[Record]) -> str:
    judged = [job.judged for job in ended if job.judged and "similarity" in job.judged]
    if not judged:
        return ""
    seen = [one["similarity"] for one in judged if one["similarity"] is not None]
    bars = sorted({one["at_least"] for one in judged})
    asked = ", ".join(map(str, bars))
    said = f"<p>{len(seen)} judged, {len(judged) - len(seen)} of no face; at least {asked}.</p>"
    return said + drawings.bars(seen, "drawings", "{:.2f}".format, low=-0.2, high=1.0, marks=bars)


def _failed(ended: Sequence[Record]) -> str:
    bad = [job for job in ended if job.state in ("failed", "quarantined")]
    rows = [
        [str(job.row), job.state, escape(job.node), f"<pre>{escape(job.error)}</pre>"]
        for job in bad[:_FAILED]
    ]
    more = f"<p>{len(bad) - _FAILED} more stand in manifest.jsonl.</p>" if len(bad) > _FAILED else ""
    return _table(["row", "state", "node", "what was said"], rows) + more


def _slowest(ended: Sequence[Record]) -> str:
    slow = sorted((job for job in ended if job.seconds), key=lambda job: -(job.seconds or 0))[:_SLOWEST]
    rows = [[str(job.row), f"{job.seconds:.1f} s", escape(job.worker), str(job.tries)] for job in slow]
    return _table(["row", "took", "worker", "tries"], rows)


def _nodes(ended: Sequence[Record]) -> str:
    whole: Counter[str] = Counter()
    for job in ended:
        whole.update(job.timings)
    every = sum(whole.values())
    rows = [
        [escape(node), spell(s), f"{100 * s / every:.0f} %"] for node, s in whole.most_common(_SLOWEST) if s
    ]
    return _table(["node", "in all", "share"], rows)


def _lock(ledger: Ledger) -> str:
    runs = ledger.runs()
    return f"<pre>{escape(json.dumps(runs[-1][2], indent=1, ensure_ascii=False))}</pre>" if runs else ""
