"""`python -m batch.guard COMMAND...`: runs a command that ends when our standard input does.

The parent holds the other end of that pipe, so the command ends with the parent, however that ends. Linux
has a call of the system for it; this is for the others.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading


def main(command: list[str]) -> int:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def watch() -> None:
        while os.read(0, 4096):
            pass
        process.kill()

    threading.Thread(target=watch, daemon=True).start()
    try:
        return process.wait()
    finally:
        process.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
