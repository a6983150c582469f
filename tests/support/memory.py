"""Memory of a process as the system counts it, where the system tells."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil


def ask_seldom() -> None:
    """The host on a CPU asks for the free memory in every attention: a tenth of a tiny network's time.

    From now on it is told what was true at most a tenth of a second ago.
    """
    ask, told = psutil.virtual_memory, [0.0, psutil.virtual_memory()]

    def virtual_memory() -> Any:
        if time.monotonic() - told[0] > 0.1:
            told[:] = [time.monotonic(), ask()]
        return told[1]

    psutil.virtual_memory = virtual_memory


@contextmanager
def peak_while() -> Iterator[Callable[[], float]]:
    """A function that says by how many MB this process grew, at most, since entering; looks every 2 ms."""
    process, done = psutil.Process(), threading.Event()
    before = most = process.memory_info().rss

    def look() -> None:
        nonlocal most
        while not done.wait(0.002):
            most = max(most, process.memory_info().rss)

    watching = threading.Thread(target=look, daemon=True)
    watching.start()
    try:
        yield lambda: (max(most, process.memory_info().rss) - before) / 1e6
    finally:
        done.set()
        watching.join()
