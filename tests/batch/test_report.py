"""report.html: one file, readable without anything else."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from batch import report
from batch.ledger import Ledger, LedgerError
from batch.records import Output, Source
from batch.values import Job, Outcome


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.heads: list[str] = []
        self.sources: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img"):
            self.open.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.heads.append(data)


def job(row: int, attempt: int = 0) -> Job:
    return Job(f"key{row}", row, 0, attempt, 1, {})


def ended(row: int, attempt: int = 0, error: str = "", node: str = "") -> Outcome:
    facts = {"seconds": float(row), "timings": {"KSampler": 2.0, "Save": 0.5}, "error": error, "node": node}
    return Outcome(job(row, attempt), f"worker-{row % 2}", "done", **facts)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "accepted").mkdir()
    (tmp_path / "rejected").mkdir()
    with Ledger(tmp_path, write=True) as ledger:
        ledger.begin({}, {"host": {"comfyui": "0.30.0"}})
        rows = range(1, 6)
        ledger.plan([Source(f"key{n}", n, {}, {}) for n in rows], [(f"key{n}", 0, n, 1) for n in rows])
        for n in (1, 2):
            name = f"accepted/{n}.png"
            Image.new("RGB", (320, 240), (40 * n, 0, 0)).save(tmp_path / name)
            judged = {"similarity": 0.3 + 0.1 * n, "at_least": 0.4}
            ledger.done(ended(n), [Output(name, "s", 1, "Save", judged)], judged)
        Image.new("RGB", (32, 24)).save(tmp_path / "rejected/3.png")
        none = {"similarity": None, "at_least": 0.4}
        ledger.rejected(ended(3), [Output("rejected/3.png", "s", 1, "Save", none)], none, None)
        ledger.failed(ended(4, error="no face in <b>'wall.png'</b>", node="Embed & mix"))
    return tmp_path


def test_everything_is_said_in_one_file(folder: Path) -> None:
    text = report.write(folder).read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == [], "every tag is closed"
    assert page.sources and all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert page.heads[:4] == ["Counts", "Rate", "Similarity", "Failed rows"]
    assert "Rejected pictures" in page.heads and "Drawn with" in page.heads
    assert "no face in &lt;b&gt;" in text and "Embed &amp; mix" in text, "sentences are no HTML"
    assert re.search(r"<td>waiting</td><td>1</td>", text) and "3 judged" not in text
    assert "2 judged, 1 of no face; at least 0.4" in text
    assert "row 2, 0.50" in text and "row 3, no face" in text
    assert re.search(r"<td>KSampler</td><td>8 s</td><td>80 %</td>", text)
    slowest = text[text.index("Slowest rows") :]
    assert slowest.index("<td>4.0 s") < slowest.index("<td>3.0 s")


def test_a_picture_that_was_taken_away_does_not_stop_it(folder: Path) -> None:
    (folder / "accepted/1.png").unlink()
    text = report.write(folder).read_text(encoding="utf-8")
    assert "row 1, 0.40" not in text and "row 2, 0.50" in text


def test_a_batch_that_has_only_begun_has_a_report_too(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True) as ledger:
        ledger.plan([Source("k", 1, {}, {})], [("k", 0, 1, None)])
    page = Page(report.write(tmp_path).read_text(encoding="utf-8"))
    assert page.heads == ["Counts"]


def test_a_folder_without_a_ledger_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no batch was run into it"):
        report.write(tmp_path)
