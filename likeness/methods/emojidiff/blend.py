"""Expressions between two others, and sequences of them. Spec: pva_freecure_emojidiff.md C.5."""

from __future__ import annotations

import torch

from ...adapters import Tokens


def blend(a: Tokens, b: Tokens, amount: float = 0.5, steps: int = 1) -> Tokens:
    """Tokens on the straight line from a to b: at `amount` of the way, or `steps` of them up to there.

    amount 0 is a, 1 is b; less or more goes beyond. steps above 1: the first is a, the last at amount, the
    others evenly between. Raises ValueError for tokens of different adapters, or numbers that do not fit.
    """
    if a.made_with != b.made_with or a.somebody.shape[1:] != b.somebody.shape[1:]:
        raise ValueError(
            f"expression_a was made with {a.made_with}, expression_b with {b.made_with}: encode both with "
            "one adapter."
        )
    if a.nobody is None or b.nobody is None or not torch.equal(a.nobody, b.nobody):
        raise ValueError(
            "expression_a and expression_b were made with different CLIP vision models, or files of one "
            "name: encode both with the same."
        )
    if steps < 1:
        raise ValueError(f"steps must be 1 or more, not {steps}.")
    if steps > 1:
        if len(a) > 1 or len(b) > 1:
            raise ValueError(
                f"A sequence goes from one expression to one other; expression_a holds {len(a)} and "
                f"expression_b {len(b)}. Encode one template each, or set steps to 1."
            )
        parts = torch.linspace(0.0, amount, steps)[:, None, None]
    else:
        if len(a) != len(b) and 1 not in (len(a), len(b)):
            raise ValueError(
                f"expression_a holds {len(a)} expressions and expression_b {len(b)}: give as many of each, "
                "or one."
            )
        parts = torch.tensor(float(amount))
    # Not a + part * (b - a): at 1 that misses b by a rounding.
    return Tokens((1 - parts) * a.somebody + parts * b.somebody, a.nobody, a.made_with)
