"""The trainer of attribute directions: `python -m training.attributes --help`. Spec: conditioning.md 1.3."""

from .trainer import main

__all__ = ["main"]
