"""Subjects found in a text, and their rows."""

from __future__ import annotations

import logging

import pytest

from likeness.text import TokenSpan, rows_of

TEXT = "a woman, and a firefighter's man;  another man"
WORDS = ["a", "woman", ",", "and", "a", "firefighter", "'s", "man", ";", "another", "man"]


def spans() -> list[TokenSpan]:
    found, at = [], 0
    for row, word in enumerate(WORDS, 1):
        at = TEXT.index(word, at)
        found.append(TokenSpan(row, at, at + len(word)))
        at += len(word)
    return found


def rows(subject: str, match: str = "word", occurrence: int = 0) -> list[tuple[int, ...]]:
    return [one.rows for one in rows_of(spans(), TEXT, subject, match, occurrence)]


@pytest.mark.parametrize(
    ("subject", "match", "found"),
    [
        ("man", "word", [(8,), (11,)]),
        ("MAN ", "word", [(8,), (11,)]),
        ("firefighter's man", "word", [(6, 7, 8)]),
        ("another  man", "word", [(10, 11)]),
        ("man; another", "word", [(8, 9, 10)]),
        ("'s", "text", [(7,)]),
        (r"\b(wo)?man\b", "regex", [(2,), (8,), (11,)]),
        (r"\ban\S+R\b", "regex", [(10,)]),
        ("(?=a)", "regex", None),
        ("dog", "word", None),
        ("oman", "word", None),
    ],
)
def test_what_is_found(subject: str, match: str, found: list[tuple[int, ...]] | None) -> None:
    if found is not None:
        assert rows(subject, match) == found
        return
    with pytest.raises(ValueError, match=r"Its words are: a, woman, and, firefighter, s, man, another\."):
        rows(subject, match)


def test_one_place_of_several(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert rows("man", occurrence=2) == [(11,)] and not caplog.records
        assert len(rows("man")) == 2
        assert [record.getMessage() for record in caplog.records] == [
            "'man' stands 2 times in the text; each is meant (occurrence 0)."
        ]
    with pytest.raises(ValueError, match="occurrence 3 of subject 'man': the text has it 2 times"):
        rows("man", occurrence=3)


def test_a_token_is_whole_or_not_at_all() -> None:
    with pytest.raises(ValueError, match="'fire' is part of the token 'firefighter'"):
        rows("fire", "text")


def test_bad_subjects() -> None:
    with pytest.raises(ValueError, match="subject is empty"):
        rows("  ")
    with pytest.raises(ValueError, match=r"subject '\(' is no regular expression: missing \)"):
        rows("(", "regex")
    with pytest.raises(ValueError, match="match 'glob' is none of word, text, regex"):
        rows("man", "glob")
