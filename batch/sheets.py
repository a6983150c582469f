"""Contact sheets of the report: small copies of pictures, inside the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from .records import Record, Records

#: Pictures on a sheet, evenly out of all, and their longer side in pixels.
_MOST, _SIDE = 120, 160


def sheet(ledger: Records, folder: Path, state: str) -> str:
    """Figures of jobs of a state; "" if there are none."""
    jobs = list(ledger.records(state))
    shown = _evenly(jobs, _MOST)
    figures = [figure for job in shown for figure in _figures(ledger, folder, job)]
    if not figures:
        return ""
    said = f"<p>{len(shown)} of {len(jobs)}, evenly.</p>" if len(shown) < len(jobs) else ""
    return f"{said}<div class='sheet'>{''.join(figures)}</div>"


def _evenly(jobs: Sequence[Record], most: int) -> list[Record]:
    count = min(len(jobs), most)
    return [jobs[n * len(jobs) // count] for n in range(count)]


def _figures(ledger: Records, folder: Path, job: Record) -> list[str]:
    figures = []
    for output in ledger.outputs(job.id):
        small = _small(folder / output.name)
        if small is None:
            continue
        words = (
            f"row {job.row}" + (f", try {job.attempt + 1}" if job.attempt else "") + _likeness(output.judged)
        )
        image = f"<img src='data:image/jpeg;base64,{small}' alt='{escape(output.name, quote=True)}'>"
        figures.append(f"<figure>{image}<figcaption>{escape(words)}</figcaption></figure>")
    return figures


def _likeness(judged: Mapping[str, object] | None) -> str:
    if judged is None:
        return ""
    similarity = judged.get("similarity")
    return ", no face" if similarity is None else f", {similarity:.2f}"


def _small(path: Path) -> str | None:
    """base64 of a small JPEG; None for what is no picture or was taken away."""
    try:
        with Image.open(path) as picture:
            picture.thumbnail((_SIDE, _SIDE))
            out = io.BytesIO()
            picture.convert("RGB").save(out, "JPEG", quality=80)
    except (UnidentifiedImageError, FileNotFoundError):
        return None
    return base64.b64encode(out.getvalue()).decode()
