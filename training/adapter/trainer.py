"""Train an adapter of InstantID's kind: `python -m training.adapter --help`.

On several graphics cards: `accelerate launch -m training.adapter ...`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .options import parser

if TYPE_CHECKING:
    from .lesson import AdapterLesson


def main(arguments: Sequence[str] | None = None) -> AdapterLesson:
    """Train as the command line says; returns what was trained. Exits with one sentence for bad input."""
    options = parser().parse_args(arguments)
    from ..run import told  # --help should not wait for torch
    from .learn import learn

    return told("training.adapter", learn, options)
