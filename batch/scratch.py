"""Folders for a run's own files: named by the process, so that what a killed one left can be taken away."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import psutil


def make(prefix: str, parent: str | None = None) -> Path:
    """A new folder under parent, or the system's for temporary files; those of ended processes go."""
    place = Path(parent or tempfile.gettempdir())
    for old in place.glob(f"{prefix}-*-*"):
        number = old.name.removeprefix(f"{prefix}-").partition("-")[0]
        if number.isdecimal() and not psutil.pid_exists(int(number)):
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{prefix}-{os.getpid()}-", dir=place))
