"""Train an EmojiDiff-style E-adapter: `python -m training.emojidiff --help`.

On several graphics cards: `accelerate launch -m training.emojidiff STAGE ...`. Spec:
pva_freecure_emojidiff.md C.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .options import parser

if TYPE_CHECKING:
    from .lesson import EmojiLesson


def main(arguments: Sequence[str] | None = None) -> EmojiLesson:
    """Run a stage as the command line says; returns its lesson. Exits with one sentence for bad input."""
    options = parser().parse_args(arguments)
    from ..run import told  # --help should not wait for torch
    from .learn import draw_and_swap, learn

    return told("training.emojidiff", draw_and_swap if options.stage == "data" else learn, options)
