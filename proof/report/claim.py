"""What a claim is: a question to the numbers of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .shots import Shots

HOLDS, FAILS, OPEN = "holds", "does not hold", "not measured"
Rows = Mapping[str, Shots]


@dataclass(frozen=True)
class Verdict:
    """state: HOLDS, FAILS or OPEN. evidence: the numbers, or what is missing."""

    state: str
    evidence: str


@dataclass(frozen=True)
class Claim:
    """needs: rows by name. ask: called only when all are there."""

    name: str
    says: str
    needs: tuple[str, ...]
    ask: Callable[[Rows], tuple[bool, str]]

    def verdict(self, rows: Rows) -> Verdict:
        lacking = [name for name in self.needs if name not in rows]
        if lacking:
            return Verdict(OPEN, f"not drawn: {', '.join(lacking)}")
        holds, evidence = self.ask(rows)
        return Verdict(HOLDS if holds else FAILS, evidence)
