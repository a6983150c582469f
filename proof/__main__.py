"""`python -m proof world ...`, in the repository's folder."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODELS = HERE.parent / "models" / "drawn"
CACHE = HERE / "cache"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m proof", description=__doc__)
    rooms = parser.add_subparsers(required=True)
    world = rooms.add_parser("world", help="the drawn world").add_subparsers(required=True)
    train = world.add_parser("train", help="make its networks, stage by stage; goes on where it was stopped")
    train.add_argument(
        "--only", action="append", default=[], metavar="STAGE", help="this stage; may be repeated"
    )
    train.add_argument("--minutes", type=float, help="stop after so many, and save")
    train.add_argument("--quick", action="store_true", help="a few steps of each stage, into the cache")
    train.add_argument("--again", action="store_true", help="train what is done anew")
    train.set_defaults(run=_train)
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        return int(chosen.run(chosen))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1


def _train(chosen: argparse.Namespace) -> int:
    from .training.running import train
    from .training.stages import Rooms

    cache = CACHE / ("quick" if chosen.quick else "full")
    rooms = Rooms(cache / "models" if chosen.quick else MODELS, cache)
    return 0 if train(rooms, chosen.only, chosen.minutes, chosen.quick, chosen.again) else 3


if __name__ == "__main__":
    sys.exit(main())
