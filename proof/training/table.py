"""`python -m proof world table`: the networks with sizes and figures, as a page."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .running import file_of, results
from .stages import STAGES, Rooms

_KEPT_APART = ("seconds", "steps", "steps_before")


def add_to(commands: Any) -> None:
    command = commands.add_parser("table", help="write what is known of its networks as a page")
    command.add_argument("file", type=Path, nargs="?", default=Path("docs/proof/networks.md"))
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from ..files import committed

    options.file.parent.mkdir(parents=True, exist_ok=True)
    options.file.write_text(page(committed()), encoding="utf-8")


def page(rooms: Rooms) -> str:
    """Of the stages that are done, in their order."""
    lines = [
        "# The drawn world's networks",
        "",
        "Made by `python -m proof world train`, each from its seed; this page by",
        "`python -m proof world table`. Minutes are those of one core of a small machine, on which others",
        "worked too. Steps before: it went on from an earlier file of itself.",
        "",
        "| stage | what it is | parameters | file | steps | minutes | steps before |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    whole = 0
    figures: list[str] = []
    for one in STAGES:
        file = file_of(one, rooms)
        if not file.is_file():
            continue
        facts = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        size, numbers = file.stat().st_size, _numbers(one.name, rooms)
        whole += size
        lines.append(
            f"| {one.name} | {one.about} | {numbers / 1e6:.2f} M | {size / 1e6:.2f} MB "
            f"| {facts['steps']} | {facts['seconds'] / 60:.0f} | {facts.get('steps_before', 0) or ''} |"
        )
        told = ", ".join(f"{key} {facts[key]:g}" for key in facts if key not in _KEPT_APART)
        figures.append(f"| {one.name} | {told} |")
    lines += ["", f"All files together: {whole / 1e6:.1f} MB.", ""]
    lines += ["| stage | measured on what it had not seen |", "| --- | --- |", *figures, ""]
    return "\n".join(lines)


def _numbers(name: str, rooms: Rooms) -> int:
    return sum(tensor.numel() for tensor in results([name], rooms)[name].values())
