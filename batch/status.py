"""`status DIR`: what the ledger says, also while a run writes it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .ledger import Ledger

#: Failed rows that are named.
_SHOWN = 20


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("status", help="how far a batch is, and what failed")
    parser.add_argument("folder", type=Path, metavar="DIR", help="the --out of the run")
    parser.add_argument("--json", action="store_true", help="as one line of JSON, for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Raises LedgerError where there is none."""
    with Ledger(options.folder) as ledger:
        found = facts(ledger)
    print(json.dumps(found, ensure_ascii=False) if options.json else text(found))
    return 0


def facts(ledger: Ledger) -> dict[str, Any]:
    """Counts by state, and every row that did not come out well, with its sentence."""
    wrong = [
        {"row": r.row, "repeat": r.repeat, "state": r.state, "node": r.node, "error": r.error}
        for r in ledger.records("failed", "quarantined")
    ]
    return {"states": ledger.counts(), "wrong": wrong, "runs": len(ledger.runs())}


def text(found: dict[str, Any]) -> str:
    lines = [", ".join(f"{count} {state}" for state, count in sorted(found["states"].items())) or "No jobs."]
    for one in found["wrong"][:_SHOWN]:
        node = f"{one['node']}: " if one["node"] else ""
        lines.append(f"row {one['row']} {one['state']}: {node}{one['error']}")
    more = len(found["wrong"]) - _SHOWN
    return "\n".join([*lines, *([f"and {more} more (--json names all)"] if more > 0 else [])])
