"""PVA's trainer: `python -m training.pva --help`. Spec: pva_freecure_emojidiff.md A.5."""

from .trainer import main

__all__ = ["main"]
