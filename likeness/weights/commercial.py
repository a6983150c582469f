"""Who may earn money with a model file: read off the licences as the catalogue tells them. No legal advice.

Standard library only: install.py uses it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .catalogue import ModelFile, catalogue, methods

#: From what stands least in the way to what stands most.
YES, TERMS, TRAINERS, NOT_SAID, NO = ANSWERS = (
    "yes",
    "yes, within its terms of use",
    "as its trainer allows",
    "not said",
    "no",
)
_WORDS = (
    (NO, re.compile(r"non-commercial|for research only|\bNC\b", re.IGNORECASE)),
    (NOT_SAID, re.compile(r"not stated|none is known|names none", re.IGNORECASE)),
    (TRAINERS, re.compile(r"that of whoever trained", re.IGNORECASE)),
    (TERMS, re.compile(r"RAIL")),
)


def use(file: ModelFile) -> str:
    """One of ANSWERS, by the licence's words: what a file was trained on counts as much as its own."""
    return next((answer for answer, words in _WORDS if words.search(file.licence)), YES)


def use_of(files: Sequence[ModelFile]) -> str:
    """Of several that are needed together: the answer of the one that stands most in the way."""
    return max(map(use, files), key=ANSWERS.index)


def table() -> list[str]:
    """A row for each method and, below it, for each of its files, as lines of Markdown."""
    lines = ["| method, and its files | licence | commercial use |", "| --- | --- | --- |"]
    for method in methods():
        files = [file for file in catalogue().values() if method in file.methods]
        lines.append(f"| **{method}** | | **{use_of(files)}** |")
        lines += [f"| `{file.name}` ({file.key}) | {file.licence} | {use(file)} |" for file in files]
    return lines
