"""What a run into a folder that was begun finds besides what waits: lost files, and tries that are open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .ledger import Ledger, Record
from .plan import Plan
from .values import Job


def lost_files(ledger: Ledger, plan: Plan, folder: Path) -> Iterator[str]:
    """Let drawings whose files are gone wait again; a sentence for each."""
    for record in list(ledger.records("done")):
        gone = [o.name for o in ledger.outputs(record.id) if not (folder / o.name).is_file()]
        if gone and record.key in plan.places:
            ledger.waits_again(record.id, "", False)
            yield f"row {record.row}: {', '.join(gone)} is gone and is drawn again."


def open_tries(ledger: Ledger, plan: Plan, tries: int) -> None:
    """Let the next try of rejected rows wait: more are allowed now, or another range took it out."""
    for record in list(ledger.last()):
        if record.state == "rejected" and record.key in plan.places:
            found = following(plan, record, tries)
            if found is not None:
                ledger.next_try((record.key, record.repeat, found[0]), record.row, found[1])


def following(plan: Plan, tried: Job | Record, tries: int) -> tuple[int, int | None] | None:
    """(attempt, seed) after a rejected one; None after the last, and where no seed changes anything."""
    attempt = tried.attempt + 1
    if attempt >= tries or tried.seed is None:
        return None
    return attempt, plan.seed(tried.key, tried.repeat, attempt)
