"""Which rows of a prompt are words, textual inversions included. Spec: conditioning.md section 0.1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .spans import END


def filled(sections: Sequence[Sequence[tuple[Any, ...]]]) -> list[int]:
    """Rows of one encoder's tokens, section after section, without start, end and padding.

    Unlike spans, these hold the vectors of `embedding:name`, which stand for no letters.
    """
    rows, first = [], 0
    for section in sections:
        for place, (token, *_) in enumerate(section[1:], 1):
            if isinstance(token, int) and token == END:
                break
            rows.append(first + place)
        first += len(section)
    return rows
