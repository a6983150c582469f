"""Memory of a process as the system counts it, where the system tells."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil


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
