"""Where each token of an encoded prompt stands in its text. Spec: conditioning.md section 0.2."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: CLIP's end of a section. The padding after it is no sign: `!` is a word and one encoder's padding.
END = 49407
#: Stands in the normal text for `embedding:name`: no letter and no space, so no word is found in it.
EMBEDDING = "\ufffc"

_EMBEDDING = re.compile(r"(?:(?<=\s)|^)embedding:\s*[^\s<\[]*")
#: White space as the tokeniser counts it. Python's own has four control characters more.
_SPACE = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")


@dataclass(frozen=True)
class TokenSpan:
    """One token: its row in the CONDITIONING, and its characters [start, end) in the normal text.

    Two tokens share a character whose bytes they divide between them.
    """

    row: int
    start: int
    end: int


def normal(text: str) -> str:
    """A text as the tokeniser compares it: composed (NFC), each white space one space, lower case."""
    # Character by character: as one string, a final sigma would become another letter than the token's.
    return "".join(one.lower() for one in _SPACE.sub(" ", unicodedata.normalize("NFC", text)))


def word_rows(
    tokens: Sequence[Sequence[tuple[Any, ...]]],
    vocabulary: Mapping[int, str],
    segments: Sequence[str],
    embeddings: bool = True,
    lower: Callable[[str], str] = str.lower,
) -> tuple[str, list[TokenSpan]]:
    """The normal text, and the token of each of its words in order.

    tokens: the sections of one encoder, as they are encoded. vocabulary: token strings by number, as CLIP
    writes them (the GPT-2 alphabet of bytes, `</w>` at the end of a word). segments: the text without the
    syntax of weights, in pieces that were cut by themselves. embeddings: whether `embedding:name` is a file;
    its rows have no span. lower: the tokeniser's, which may know letters that are younger than this Python.
    Start, end and padding rows have no span either. All of the text that is no white space is inside the
    spans. Raises ValueError naming text and token where they do not fit.
    """
    text = "".join(normal(_without_embeddings(piece) if embeddings else piece) for piece in segments)
    places = [(place, byte) for place, one in enumerate(text) for byte in _bytes(one, lower)]
    spans, at = [], 0
    for row, token in _words(tokens):
        piece = _token_bytes(vocabulary, token)
        here = places[at : at + len(piece)]
        if bytes(byte for _, byte in here) != piece:
            rest = text[here[0][0] :] if here else ""
            raise ValueError(
                f"The text does not fit its tokens: token {vocabulary.get(token, token)!r} in row {row} does "
                f"not stand at {rest[:40]!r}. Take special signs out of the text there."
            )
        spans.append(TokenSpan(row, here[0][0], here[-1][0] + 1))
        at += len(piece)
    if at < len(places):
        raise ValueError(
            f"The text does not fit its tokens: nothing was made of {text[places[at][0] :][:40]!r}. Take "
            "special signs out of the text there."
        )
    return text, spans


def _without_embeddings(piece: str) -> str:
    def covered(found: re.Match[str]) -> str:
        # Commas after a name are read on as text.
        name = found.group().rstrip(",")
        return EMBEDDING * len(name) + found.group()[len(name) :]

    return _EMBEDDING.sub(covered, piece)


def _bytes(one: str, lower: Callable[[str], str]) -> bytes:
    """What a character of the normal text gives to the tokens."""
    if unicodedata.category(one) == "Cn":
        one = lower(one)
    return b"" if one in (" ", EMBEDDING) else one.encode("utf-8", "surrogatepass")


def _words(tokens: Sequence[Sequence[tuple[Any, ...]]]) -> Iterator[tuple[int, int]]:
    """(row, number) of the tokens that are words."""
    first = 0
    for section in tokens:
        for place, (token, *_) in enumerate(section[1:], 1):
            if not isinstance(token, int):
                continue  # a vector of an embedding
            if token == END:
                break
            yield first + place, token
        first += len(section)


def _alphabet() -> dict[str, int]:
    """The character that stands for each byte in CLIP's vocabulary, and that byte."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(256 + n): byte for n, byte in enumerate(others)}


_ALPHABET = _alphabet()


def _token_bytes(vocabulary: Mapping[int, str], token: int) -> bytes:
    word = vocabulary.get(token)
    if not word:
        raise ValueError(f"The text's token {token} is not in the text encoder's vocabulary.")
    # What is not in the alphabet fits nothing, and is told as such.
    return bytes(_ALPHABET.get(one, 0) for one in word.removesuffix("</w>"))
