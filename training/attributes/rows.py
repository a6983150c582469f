"""Which rows of an encoded prompt are its subject, which the prompt ends with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..unets import token_ids


def subject_rows(tokenizer: Any, prompts: Sequence[str], subjects: Sequence[str]) -> Tensor:
    """bool [n, length]: the tokens of each subject, every one of them; start, end and filling never.

    Raises ValueError for a prompt that is longer than the text encoder takes, or whose end is not the
    subject's own tokens.
    """
    ids = token_ids(tokenizer, [*prompts, *subjects])
    rows = torch.zeros(len(prompts), ids.shape[1], dtype=torch.bool)
    for n, (prompt, subject) in enumerate(zip(prompts, subjects, strict=True)):
        whole, own = (_words(tokenizer, ids[place]) for place in (n, len(prompts) + n))
        if not own or whole[-len(own) :] != own:
            raise ValueError(
                f"The prompt {prompt!r} does not end with {subject!r} in the text encoder's tokens: it takes "
                f"{ids.shape[1] - 2}. Shorten the prefix."
            )
        rows[n, 1 + len(whole) - len(own) : 1 + len(whole)] = True
    return rows


def _words(tokenizer: Any, ids: Tensor) -> list[int]:
    """Between start and end. The end comes first where a text does; what fills up is behind it."""
    inner: list[int] = ids[1:].tolist()
    return inner[: inner.index(tokenizer.eos_token_id)]
