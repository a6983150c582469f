"""Prompts as the host's text encoders read them: cut into tokens, weighted, encoded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from comfy.sd1_clip import escape_important, token_weights, unescape_important

#: One section: (token, weight) pairs. A token is a number, or the tensor of a textual inversion.
Section = Sequence[tuple[Any, ...]]


def tokens_of(clip: Any, text: str, weighted: bool = True) -> dict[str, list[Section]]:
    """The very lists that are encoded, by encoder (`l`, `g`, ...). weighted: read (word:1.2) as a weight."""
    return dict(clip.tokenize(text) if weighted else clip.tokenize(text, disable_weights=True))


def encode(clip: Any, tokens: Mapping[str, Any]) -> list[Any]:
    """CONDITIONING of tokens, one entry or, with hooks on the clip, one for each part of the schedule."""
    return list(clip.encode_from_tokens_scheduled(tokens))


def segments(text: str, weighted: bool = True) -> list[str]:
    """The pieces of a text that are cut into tokens each by itself, without the syntax of weights."""
    escaped = escape_important(text)
    pieces = [piece for piece, _ in token_weights(escaped, 1.0)] if weighted else [escaped]
    return [unescape_important(piece) for piece in pieces]


def vocabulary(clip: Any, key: str) -> Mapping[int, str] | None:
    """Token strings by number, of the encoder `l`, `g`; None: the clip has no such tokeniser."""
    words: Mapping[int, str] | None = getattr(_tokeniser(clip, key), "inv_vocab", None)
    return words


def reads_embeddings(clip: Any, key: str) -> bool:
    """Whether `embedding:name` in a text is replaced by a file, or ordinary words."""
    return getattr(_tokeniser(clip, key), "embedding_directory", None) is not None


def lower(clip: Any, key: str) -> Callable[[str], str]:
    """How the tokeniser of `l`, `g` makes letters small: by tables that may be younger than Python's."""
    by_words = getattr(_tokeniser(clip, key), "tokenizer", None)
    normaliser = getattr(getattr(by_words, "backend_tokenizer", None), "normalizer", None)
    return str.lower if normaliser is None else normaliser.normalize_str


def width(clip: Any, key: str) -> int | None:
    """How wide the rows of the encoder `l`, `g` are; None: the clip has no such encoder."""
    encoder = getattr(clip.cond_stage_model, f"clip_{key}", None)
    transformer = getattr(encoder, "transformer", None)
    if transformer is None or not hasattr(transformer, "get_input_embeddings"):
        return None
    return int(transformer.get_input_embeddings().weight.shape[1])


def _tokeniser(clip: Any, key: str) -> Any:
    return getattr(clip.tokenizer, f"clip_{key}", None)
