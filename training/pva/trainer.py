"""Train PVA (parallel visual attention): `python -m training.pva --help`.

On several graphics cards: `accelerate launch -m training.pva ...`. Spec: pva_freecure_emojidiff.md A.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .options import parser

if TYPE_CHECKING:
    from .lesson import PVALesson


def main(arguments: Sequence[str] | None = None) -> PVALesson:
    """Train as the command line says; returns what was trained. Exits with one sentence for bad input."""
    options = parser().parse_args(arguments)
    from ..run import told  # --help should not wait for torch
    from .learn import learn

    return told("training.pva", learn, options)
