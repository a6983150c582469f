"""What is said of attributes: they move what they name, step by step, and not who it is."""

from __future__ import annotations

from collections.abc import Callable

from . import measures
from .claim import Claim, Rows

#: Of the unedited picture's likeness, or to it: what must be left at every scale.
_KEPT = 0.9


def _moves(name: str) -> Callable[[Rows], tuple[bool, str]]:
    """A smile that rises at each of five scales, of people who stay as like the unedited picture as this."""

    def ask(rows: Rows) -> tuple[bool, str]:
        shots = rows[name]
        smiles = [float(value) for value in shots.steps("reading").mean(axis=0)]
        alike = shots.steps("second").mean(axis=0)
        told = ", ".join(f"{value:.2f}" for value in smiles)
        return measures.monotone(smiles) and smiles[-1] > smiles[0] and float(alike.min()) >= _KEPT, (
            f"smile {told}; to the unedited picture {alike.min():.2f} at least"
        )

    return ask


def _keeps(name: str) -> Callable[[Rows], tuple[bool, str]]:
    """The same beside InstantID, where it is known who it should be."""

    def ask(rows: Rows) -> tuple[bool, str]:
        moved, evidence = _moves(name)(rows)
        likeness = rows[name].steps("likeness").mean(axis=0)
        part = float(likeness.min() / max(float(likeness[len(likeness) // 2]), 1e-9))
        return moved and part >= _KEPT, f"{evidence}; of its likeness {part:.2f}"

    return ask


CLAIMS = (
    Claim(
        "attribute",
        "a learned direction moves a smile over five scales, and leaves 0.9 of who it was",
        ("attribute",),
        _moves("attribute"),
    ),
    Claim(
        "attribute_instantid",
        "so it does beside InstantID",
        ("attribute_instantid",),
        _keeps("attribute_instantid"),
    ),
    Claim(
        "attribute_difference",
        "so does a direction by difference of prompts",
        ("attribute_difference",),
        _moves("attribute_difference"),
    ),
    Claim(
        "attribute_difference_instantid",
        "and that one beside InstantID",
        ("attribute_difference_instantid",),
        _keeps("attribute_difference_instantid"),
    ),
)
