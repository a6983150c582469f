"""Prompts cut to one section, as libraries do that know no other.

Spec: consistentid_masterweaver.md 0 (2).
"""

from __future__ import annotations

from typing import Any

from .filled import filled
from .spans import END

#: Tokens of one encoder, section after section: (number or vector, weight) each.
Sections = list[Any]


def cut_to_one(sections: Sections, end: bool = True) -> Sections:
    """The first section of a text's tokens: as many words as it holds, and the end where there is room.

    end: a text that is too long keeps its end in the last row; else a word stands there. What fits in one
    section stays as it is.
    """
    length, rows = len(sections[0]), filled(sections)
    if len(sections) == 1 and len(rows) <= length - 2:
        return sections
    flat = [entry for section in sections for entry in section]
    words = [flat[row] for row in rows]
    kept = [flat[0], *words[: length - 2], (END, 1.0)] if end else [flat[0], *words][:length]
    return [kept + list(sections[-1][len(kept) :])]
