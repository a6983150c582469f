"""The rows of some words of a prompt. Spec: conditioning.md section 0.2, `rows_of`."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from ..choices.text import MATCHES
from .spans import TokenSpan, normal

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Match:
    """Words found in a normal text: its characters [start, end), what stands there, and their rows."""

    text: str
    start: int
    end: int
    rows: tuple[int, ...]


def rows_of(
    spans: Sequence[TokenSpan], text: str, subject: str, match: str = "word", occurrence: int = 0
) -> tuple[Match, ...]:
    """Where `subject` stands in a normal text, and the rows of its tokens, in order of the text.

    spans, text: from word_rows. match: `word` (between signs that are no letters), `text` (anywhere) or
    `regex` (Python's, capitals or not). occurrence 0: every place; n: the n-th, from 1. Raises ValueError
    when it is not there, or when a place begins or ends inside a token.
    """
    found = [one.span() for one in _pattern(subject, match).finditer(text) if one.group().strip()]
    places = [(start, end) for start, end in found if _touched(spans, start, end)]
    if not places:
        words = ", ".join(dict.fromkeys(re.findall(r"\w+", text))) or "none"
        raise ValueError(f"subject {subject!r} is not in the text. Its words are: {words[:600]}.")
    if occurrence < 0 or occurrence > len(places):
        raise ValueError(
            f"occurrence {occurrence} of subject {subject!r}: the text has it {len(places)} times. Take 0 "
            f"for all, or 1 to {len(places)}."
        )
    if occurrence:
        places = [places[occurrence - 1]]
    elif len(places) > 1:
        log.info("%r stands %d times in the text; each is meant (occurrence 0).", subject, len(places))
    return tuple(_match(spans, text, start, end) for start, end in places)


def _pattern(subject: str, match: str) -> re.Pattern[str]:
    if match not in MATCHES:
        raise ValueError(f"match {match!r} is none of {', '.join(MATCHES)}.")
    words = normal(subject).split()
    if not words:
        raise ValueError("subject is empty: write the words that are meant, such as: man.")
    if match == "regex":
        try:
            return re.compile(unicodedata.normalize("NFC", subject), re.IGNORECASE)
        except re.error as error:
            raise ValueError(f"subject {subject!r} is no regular expression: {error}.") from error
    # Two words stay two words whatever white space is between them.
    letters = " +".join(map(re.escape, words))
    return re.compile(rf"(?<!\w){letters}(?!\w)" if match == "word" else letters)


def _touched(spans: Sequence[TokenSpan], start: int, end: int) -> list[TokenSpan]:
    return [span for span in spans if span.start < end and start < span.end]


def _match(spans: Sequence[TokenSpan], text: str, start: int, end: int) -> Match:
    touched, here = _touched(spans, start, end), text[start:end]
    for span in touched:
        if span.start < start or span.end > end:
            whole = text[span.start : span.end]
            raise ValueError(
                f"{here!r} is part of the token {whole!r}, which can only be changed as a whole. Take all "
                "of that word as the subject, or match whole words."
            )
    return Match(here, start, end, tuple(span.row for span in touched))
