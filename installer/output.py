"""What the user sees while something takes long, and how a failed command is told."""

from __future__ import annotations

import errno
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_HEARTBEAT = 20.0
#: What a system says of a disk, an account or a file that can hold no more; 112 is Windows' own.
_FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})


class SetupError(RuntimeError):
    """Something the user has to know about; the message says what to do."""


def no_room(error: OSError) -> str:
    """What to say of an error that means a full disk; nothing for any other."""
    if error.errno not in _FULL and getattr(error, "winerror", None) != 112:
        return ""
    where = f" for {error.filename}" if error.filename else ""
    return (
        f"There is no room left{where}: {error.strerror}. Make room, or name a folder on another disk with "
        "LIKENESS_CACHE, and run the same command again: it goes on where it stopped."
    )


class Progress:
    """Prints lines with the time since the start, and remembers how long each step took."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self.seconds: dict[str, float] = {}

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._start

    def say(self, text: str) -> None:
        print(f"[{self.elapsed:6.1f} s] {text}", flush=True)

    def run(
        self,
        what: str,
        command: Sequence[str | Path],
        log: Path,
        *,
        advice: str,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Run a command with its output in `log`. Raises SetupError with the last lines and the advice."""
        self.say(f"{what} ...")
        begin = time.monotonic()
        log.parent.mkdir(parents=True, exist_ok=True)
        done = threading.Event()
        beat = threading.Thread(target=self._beat, args=(what, begin, done), daemon=True)
        beat.start()
        try:
            with log.open("ab") as output:
                result = subprocess.run(
                    [str(part) for part in command],
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    cwd=cwd,
                    env={**os.environ, **(environment or {})},
                )
        finally:
            done.set()
            beat.join()
        self.seconds[what] = round(time.monotonic() - begin, 1)
        if result.returncode:
            tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
            raise SetupError(f"{what} failed. The last lines of {log}:\n{tail}\n\n{advice}")

    def _beat(self, what: str, begin: float, done: threading.Event) -> None:
        while not done.wait(_HEARTBEAT):
            self.say(f"  still at it: {what} ({time.monotonic() - begin:.0f} s)")
