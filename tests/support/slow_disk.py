"""`python slow_disk.py SECONDS ARGUMENTS`: `python -m batch ARGUMENTS` with a slow disk.

Only the moment between a picture's bytes and its place is stretched, so that a test can kill in it.
"""

from __future__ import annotations

import os
import runpy
import sys
import time
from pathlib import Path

_sync = os.fsync
SECONDS = float(sys.argv[1])


def slow(handle: int) -> None:
    if os.readlink(f"/proc/self/fd/{handle}").endswith(".part"):
        time.sleep(SECONDS)
    _sync(handle)


os.fsync = slow
sys.path[0] = str(Path(__file__).parents[2])
sys.argv = ["batch", *sys.argv[2:]]

if __name__ == "__main__":  # not again in the workers, which multiprocessing starts with this file
    runpy.run_module("batch", run_name="__main__", alter_sys=True)
