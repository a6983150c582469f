"""EmojiDiff-style E-adapters: `python -m training.emojidiff --help`. Spec: pva_freecure_emojidiff.md C."""

from .trainer import main

__all__ = ["main"]
