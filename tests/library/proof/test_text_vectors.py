from __future__ import annotations

import pytest
import torch

from proof.networks import text


def test_known_words_are_orthogonal_and_the_end_is_nothing() -> None:
    known = [text.START, *range(320, 369)]
    table = text.word_vectors(known, seed=0)
    alike = table[known] @ table[known].T
    assert torch.allclose(alike, torch.eye(len(known)), atol=1e-5)
    assert not table[text.END].any()
    assert torch.allclose(table.sum(1), torch.zeros(len(table)), atol=1e-4)


def test_too_many_words_are_refused() -> None:
    with pytest.raises(ValueError, match="orthogonally"):
        text.word_vectors(list(range(text.WORD)), seed=0)
