"""What the command lines of our trainers share: kinds of numbers, and how a run is saved and watched."""

from __future__ import annotations

import argparse
from typing import Any

from .trackers import NAMES


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


def saving_and_watching(made: argparse.ArgumentParser, drawn: str) -> Any:
    """Adds the group; returns what adds further options to it. drawn: what --samples counts."""
    add = made.add_argument_group("saving and watching").add_argument
    add("--save-every", type=positive, default=1000, help="steps (default: %(default)s)")
    add("--keep", type=positive, default=3, help="checkpoints; older ones go (default: %(default)s)")
    add("--log-every", type=positive, default=10, help="steps between two lines (default: %(default)s)")
    add("--log-to", choices=NAMES, nargs="*", default=[], help="further places for the curves")
    add("--validate-every", type=int, default=500, help="steps; 0 is never (default: %(default)s)")
    add("--validation-batches", type=positive, default=16, help="(default: %(default)s)")
    add("--sample-every", type=int, default=1000, help="steps; 0 is never (default: %(default)s)")
    add("--samples", type=positive, default=4, help=f"{drawn} to draw (default: %(default)s)")
    return add
