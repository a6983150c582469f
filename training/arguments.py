"""Kinds of numbers on the command lines of our trainers."""

from __future__ import annotations

import argparse


def positive(text: str) -> int:
    """A whole number above 0, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not above 0")
    return value


def side(text: str) -> int:
    """Pixels, a multiple of 64, for argparse."""
    value = positive(text)
    if value % 64:
        raise argparse.ArgumentTypeError(f"{value} is no multiple of 64")
    return value
