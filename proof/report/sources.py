"""The files of code that a row's pictures depend on: when one changes, they are drawn again."""

from __future__ import annotations

import ast
from pathlib import Path

from installer.paths import REPOSITORY

from . import rows

_HERE = Path(__file__).parent
_ROWS = _HERE / "rows"
#: What no row's pictures depend on, of this package.
_AFTERWARDS = (
    *("claim", "claims", "claims_attribute", "claims_repair", "figures", "shots", "write", "plots", "sheets"),
    *("bars", "command", "selftest", "running", "readme", "seeds", "shown", "variants", "spoilt", "usual"),
    "sources",
)


def of(row: str) -> list[Path]:
    """By a row's name: its module and those of other rows that it takes from, what all rows share, the pack,
    and the networks."""
    shared = [path for path in sorted(_HERE.glob("*.py")) if path.stem not in _AFTERWARDS]
    own = sorted(_reached(rows.module_of(row), set()))
    pack = [path for room in ("likeness", "nodes") for path in sorted((REPOSITORY / room).rglob("*.py"))]
    networks = sorted((REPOSITORY / "proof" / "networks").glob("*.py"))
    detected = REPOSITORY / "proof" / "training" / "detected.py"
    return [*shared, _HERE / "whole.json", detected, *own, *pack, *networks]


def _reached(module: str, known: set[Path]) -> set[Path]:
    """A module of rows and all that it imports of them, added to those known."""
    path = _ROWS / f"{module}.py"
    if path in known or not path.is_file():
        return known
    known.add(path)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            for name in [node.module] if node.module else [alias.name for alias in node.names]:
                _reached(name, known)
    return known
