"""Words to rows: tokens of any kind, cut anywhere, are found again in the text they were made of."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.text import TokenSpan, normal, word_rows
from likeness.text.spans import _ALPHABET, EMBEDDING, END

_START, _ROWS = 49406, 77
_SHOWN = {byte: one for one, byte in _ALPHABET.items()}
PIECES = st.text(
    st.one_of(
        st.sampled_from("aAbzZ '!,.9()<é\u0301İΣß\u00a0\n\t犬🦊👩\u200d🚀"),
        st.characters(exclude_categories=("Cs", "Cc"), exclude_characters=EMBEDDING),
    ),
    max_size=30,
)

LENGTHS = st.lists(st.integers(1, 7), min_size=1, max_size=9)


def cut(pieces: list[str], lengths: list[int], section: int = _ROWS, padding: int = 0) -> Any:
    """(sections of tokens, vocabulary, row of each token): words cut into as many bytes as `lengths` says."""
    vocabulary: dict[int, str] = {END: "<|endoftext|>", _START: "<|startoftext|>"}
    numbers: list[int] = []
    for piece in pieces:
        for word in normal(piece).split(" "):
            left = word.encode()
            while left:
                size = lengths[len(numbers) % len(lengths)]
                here, left = left[:size], left[size:]
                numbers.append(len(vocabulary))
                shown = "".join(_SHOWN[byte] for byte in here)
                vocabulary[numbers[-1]] = shown + ("" if left else "</w>")
    room = section - 2
    sections, rows = [], []
    for first in range(0, max(len(numbers), 1), room):
        here = numbers[first : first + room]
        rows += [len(sections) * section + 1 + place for place in range(len(here))]
        filled = [_START, *here, END, *[padding] * (room - len(here))]
        sections.append([(number, 1.0) for number in filled])
    return sections, vocabulary, rows


@settings(max_examples=300, deadline=None)
@given(
    st.lists(PIECES, min_size=1, max_size=4), st.lists(st.integers(1, 7), min_size=1, max_size=9), st.data()
)
def test_the_spans_together_are_the_text(pieces: list[str], lengths: list[int], data: st.DataObject) -> None:
    section = data.draw(st.sampled_from((5, 12, 77)))
    tokens, vocabulary, rows = cut(pieces, lengths, section)
    text, spans = word_rows(tokens, vocabulary, pieces)
    assert text == "".join(map(normal, pieces))
    assert [span.row for span in spans] == rows
    covered = {place for span in spans for place in range(span.start, span.end)}
    assert covered == {place for place, one in enumerate(text) if one != " "}
    for one, after in pairwise(spans):
        assert one.start <= after.start and one.end <= after.end
        # Two tokens share a character only where they divide its bytes.
        assert after.start >= one.end or (after.start == one.end - 1 and len(text[after.start].encode()) > 1)


def test_padding_that_is_also_a_word_ends_nothing() -> None:
    vocabulary = {0: "!", 1: "man</w>", 2: "!</w>"}
    section = [(token, 1.0) for token in (_START, 0, 2, 1, 0, 2, END, *[0] * 70)]
    text, spans = word_rows([section], vocabulary, ["!! man !!"])
    assert (text, [span.row for span in spans]) == ("!! man !!", [1, 2, 3, 4, 5])


def test_vectors_of_embeddings_have_no_span_and_their_names_are_no_words() -> None:
    vocabulary = {1: "a</w>", 2: "man</w>", 3: ",</w>"}
    vector = torch.zeros(4)
    sent = [_START, 1, vector, vector, vector, 3, 2, END]
    text, spans = word_rows([[(one, 1.0) for one in sent]], vocabulary, ["a embedding:man embedding:b, man"])
    assert text == "a " + EMBEDDING * 13 + " " + EMBEDDING * 11 + ", man"
    assert spans == [TokenSpan(1, 0, 1), TokenSpan(5, 27, 28), TokenSpan(6, 29, 32)]
    # One that is not there is left out by the host, with a word in its log.
    assert word_rows([[(one, 1.0) for one in (_START, 1, 2, END)]], vocabulary, ["A embedding:gone man"])[1]
    # Where the host knows no embeddings, they are words.
    words = {5: "embedding</w>", 6: ":</w>", 7: "x</w>"}
    assert word_rows([[(one, 1.0) for one in (_START, 5, 6, 7, END)]], words, ["embedding:x"], False)[1]


def test_what_does_not_fit_is_said_with_text_and_token() -> None:
    vocabulary = {1: "a</w>", 2: "man</w>"}
    sections = [[(one, 1.0) for one in (_START, 1, 2, END)]]
    with pytest.raises(ValueError, match=r"token 'man</w>' in row 2 does not stand at 'dog'"):
        word_rows(sections, vocabulary, ["a dog"])
    with pytest.raises(ValueError, match="nothing was made of 'here'"):
        word_rows(sections, vocabulary, ["a man here"])
    with pytest.raises(ValueError, match="token 'man</w>' in row 2 does not stand at ''"):
        word_rows(sections, vocabulary, ["a "])
    with pytest.raises(ValueError, match="token 9 is not in the text encoder's vocabulary"):
        word_rows([[(_START, 1.0), (9, 1.0), (END, 1.0)]], vocabulary, ["a"])
