"""The rows of what is to be taken out. Spec: conditioning.md 3.1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...text import Prompt, encode, read
from ...text.filled import filled


@dataclass(frozen=True)
class Unwanted:
    """rows(x): the unwanted rows [n, W], given a prompt [L, W] that may have them. says: where they are."""

    rows: Callable[[Tensor], Tensor]
    says: str


def find(clip: Any, unwanted: str, whole: Prompt | None, nothing: Tensor | None = None) -> Unwanted:
    """Words of the prompt `whole` itself where it has them; else those of a prompt of their own.

    nothing: the empty prompt's rows [l, W], taken off the unwanted ones place by place. Raises ValueError for
    no words, and for words of which only some are in the text.
    """
    phrases = [part.strip() for part in unwanted.replace("\n", ",").split(",") if part.strip()]
    if not phrases:
        raise ValueError("unwanted has no words: write what is to be taken out.")
    if whole is not None and any(_there(whole, phrase) for phrase in phrases):
        rows = sorted({row for one in phrases for match in whole.rows_of(one) for row in match.rows})
        said = f"the rows of {', '.join(map(repr, phrases))} in the text itself"
        return Unwanted(lambda x: _centred(x[rows], rows, nothing), said)
    prompt = read(clip, unwanted)
    rows = filled(prompt.tokens[prompt.columns[0].key])
    if not rows:
        raise ValueError(f"unwanted has no words: {unwanted!r}. Write what is to be taken out.")
    own = _centred(encode(clip, prompt)[0][0][0][rows], rows, nothing)
    return Unwanted(lambda x: own, f"the {len(rows)} rows of {unwanted.strip()!r} as a prompt of its own")


def _there(prompt: Prompt, phrase: str) -> bool:
    try:
        return bool(prompt.rows_of(phrase))
    except ValueError:
        return False


def _centred(x: Tensor, rows: list[int], nothing: Tensor | None) -> Tensor:
    return x if nothing is None else x - nothing[[row % len(nothing) for row in rows]].to(x)
