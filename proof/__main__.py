"""`python -m proof world COMMAND`: show, train, look, table, report, usual, demo. `python -m proof run`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .demo import command as demo
from .own import command as own
from .report import command as report
from .report import usual
from .training import command, look, table
from .world import show


def parser() -> argparse.ArgumentParser:
    """A room's commands are added by the room itself."""
    whole = argparse.ArgumentParser(prog="python -m proof", description=__doc__)
    rooms = whole.add_subparsers(required=True, metavar="ROOM")
    world = rooms.add_parser("world", help="the drawn world")
    commands = world.add_subparsers(required=True, metavar="COMMAND")
    show.add_to(commands)
    command.add_to(commands)
    look.add_to(commands)
    table.add_to(commands)
    report.add_to(commands)
    usual.add_to(commands)
    demo.add_to(commands)
    own.add_to(rooms)
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except ValueError as error:
        raise SystemExit(f"python -m proof: {error}") from error


if __name__ == "__main__":
    main()
