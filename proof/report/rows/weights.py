"""InstantID at rising weights: likeness must rise with them."""

from __future__ import annotations

from .instantid import FILES, instantid
from .row import FEW, Row

WEIGHTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2)


def name(weight: float) -> str:
    return f"weight_{round(weight * 10):02d}"


ROWS = tuple(
    Row(
        name(weight),
        f"InstantID at weight {weight:g}",
        "the adapter alone",
        instantid(weight=weight),
        files=FILES,
        share=0.4,
        table=False,
        at_once=FEW,
    )
    for weight in WEIGHTS
)
