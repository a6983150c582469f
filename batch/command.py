"""`python -m batch ...`: the commands. What each does stands in a module of its own."""

from __future__ import annotations

import argparse
import importlib
import sys

from .ledger import LedgerError
from .options import OptionError
from .settings import STOPPED, USAGE, WORLD
from .values import WorldError

#: Modules with `add_command(commands)`, which adds a parser and sets its `run`, (options) -> exit status.
COMMANDS = ("run", "status", "report", "replay", "export", "merge", "fetch")
_AFTER = """
exit status: 0 all is drawn; 1 some rows failed or are in quarantine; 2 the command, the workflow or the
table is wrong; 3 something outside is (disk full, no host); 130 stopped by Ctrl-C. Run the same command
again to go on.
"""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m batch",
        description="One workflow over a table of people, with a ledger that loses nothing.",
        epilog=_AFTER,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(f".{name}", __package__).add_command(commands)
    options = parser.parse_args(arguments)
    try:
        status: int = options.run(options)
        return status
    except (OptionError, LedgerError, ValueError) as error:
        print(error, file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return STOPPED
    except WorldError as error:
        print(error, file=sys.stderr)
        return WORLD
    except OSError as error:
        print(f"The disk or the network failed: {error}.", file=sys.stderr)
        return WORLD
