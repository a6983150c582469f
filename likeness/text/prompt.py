"""A prompt with its tokens, its words and its encoders. Spec: conditioning.md sections 0.1 and 0.2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import host
from ..values import Conditioning
from .layout import Columns, columns_of
from .matches import Match, rows_of
from .spans import TokenSpan, word_rows

#: In the facts of a CONDITIONING: what moved its words to other rows than those of its text.
MOVED = "likeness_moved"


@dataclass(frozen=True, eq=False)
class Prompt:
    """What a CLIP makes of a text.

    text: as the tokeniser compares it, without weights. spans: its tokens, in order; the same in every
    encoder. columns: the encoders. length: rows of its CONDITIONING, of all sections; sections: how many.
    tokens: what is encoded, by encoder.
    """

    text: str
    spans: tuple[TokenSpan, ...]
    columns: tuple[Columns, ...]
    length: int
    sections: int
    tokens: Mapping[str, Any] = field(repr=False)

    def rows_of(self, subject: str, match: str = "word", occurrence: int = 0) -> tuple[Match, ...]:
        """Where a subject stands in the text, and its rows; see matches.rows_of."""
        return rows_of(self.spans, self.text, subject, match, occurrence)


def read(clip: Any, text: str, weighted: bool = True) -> Prompt:
    """The prompt that `clip` makes of a text. weighted: read the syntax of weights, as CLIP Text Encode does.

    Raises ValueError for a CLIP other than SD1.5's or SDXL's, and where text and tokens do not fit.
    """
    columns = columns_of(clip)
    tokens, pieces = host.text.tokens_of(clip, text, weighted), host.text.segments(text, weighted)
    spans_by_encoder = {}
    for one in columns:
        vocabulary = host.text.vocabulary(clip, one.key)
        if vocabulary is None:
            raise ValueError(f"clip shows no vocabulary of its encoder {one.name}: take a checkpoint's clip.")
        embeddings = host.text.reads_embeddings(clip, one.key)
        plain, spans = word_rows(
            tokens[one.key], vocabulary, pieces, embeddings, host.text.lower(clip, one.key)
        )
        spans_by_encoder[one.name] = spans
    first, *others = spans_by_encoder.items()
    for name, found in others:
        if found != first[1]:
            raise ValueError(
                f"The text's words have other rows in {name} than in {first[0]}. An embedding in it is of "
                "different length for the two: leave it out."
            )
    sections = tokens[columns[0].key]
    length = sum(map(len, sections))
    return Prompt(plain, tuple(first[1]), columns, length, len(sections), tokens)


def encode(clip: Any, prompt: Prompt) -> Conditioning:
    """The CONDITIONING of a prompt: [1, length, width] (in SD3 more rows follow), as the host encodes it."""
    return host.text.encode(clip, prompt.tokens)


def moved(conditioning: Conditioning, by: str) -> Conditioning:
    """The same, noting that single words are not where the text has them. by: what is in it."""
    return [[tensor, {**facts, MOVED: by}] for tensor, facts in conditioning]


def check_made_from(conditioning: Conditioning, prompt: Prompt) -> None:
    """Raises ValueError for a CONDITIONING that this prompt's text and encoders cannot have made.

    More rows than the text's may follow: other nodes put their tokens behind.
    """
    if not conditioning:
        raise ValueError("conditioning is empty: connect the output of CLIP Text Encode.")
    whole = prompt.columns[-1].stop
    for tensor, facts in conditioning:
        rows, width = int(tensor.shape[-2]), int(tensor.shape[-1])
        # SD3 fills its rows up to the width of its third encoder.
        if width != whole and not ("t5xxl" in prompt.tokens and width > whole):
            raise ValueError(
                f"conditioning is {width} wide, what this clip makes is {whole} wide. Connect the clip that "
                "encoded it."
            )
        if rows < prompt.length:
            raise ValueError(
                f"This conditioning was not made from this text: it has {rows} rows, the text takes "
                f"{prompt.length}. Give the text that was encoded, letter for letter."
            )
        if prompt.spans and MOVED in facts:
            raise ValueError(
                f"conditioning has {facts[MOVED]} in it, so its words are not in the rows that the text has "
                "them in, and single words of it can't be changed. Take one of CLIP Text Encode."
            )
