"""`python -m proof world train`."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
#: Finished files, which the repository keeps.
MODELS = HERE.parent / "models" / "drawn"
#: Pictures and unfinished runs, which it does not.
CACHE = HERE / "cache"
#: Of stages trained once more from other seeds, a folder for each.
SEEDS = CACHE / "seeds"
#: Of the process, when it stopped before the end and can go on.
UNFINISHED = 3


def add_to(commands: Any) -> None:
    """Adds the command to argparse's subparsers."""
    command = commands.add_parser("train", help="make its networks, or go on where that was stopped")
    command.add_argument("--only", action="append", default=[], metavar="STAGE", help="may be repeated")
    command.add_argument("--minutes", type=float, help="stop after so many, and save")
    command.add_argument("--quick", action="store_true", help="a few steps of each, into the cache")
    command.add_argument("--again", action="store_true", help="train what is done anew")
    command.add_argument("--warm", action="store_true", help="train what is done on, from where it stands")
    command.add_argument("--steps", type=int, help="instead of a stage's own number")
    command.add_argument(
        "--seed", type=int, default=0, help="another than each stage's own: into the cache, for comparison"
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Raises SystemExit with UNFINISHED when the minutes were over before all was done."""
    from .running import borrow, train
    from .stages import Rooms

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    cache = CACHE / ("quick" if options.quick else "full")
    rooms = Rooms(cache / "models" if options.quick else MODELS, cache)
    if options.seed:
        if not options.only:
            raise ValueError("--seed is for some stages: name them with --only.")
        usual, rooms = rooms, Rooms((cache / "seeds" if options.quick else SEEDS) / str(options.seed), cache)
        borrow(options.only, usual, rooms)
    how = (options.quick, options.again, options.warm, options.steps, options.seed)
    if not train(rooms, options.only, options.minutes, *how):
        raise SystemExit(UNFINISHED)
