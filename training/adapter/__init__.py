"""Adapters of InstantID's kind on any recogniser: `python -m training.adapter --help`."""

from .trainer import main

__all__ = ["main"]
