"""A lock on a file, which the system frees however the process ends."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path


class FileLock:
    """One holder at a time. The file stays behind: taking it away would let two hold two of one name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def take(self) -> bool:
        """Whether we hold it now; never waits."""
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _locked(handle):
            os.close(handle)
            return False
        self._handle = handle
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        # The lock itself is on a byte far behind the text: on Windows a locked byte can't be read.
        os.write(handle, f"process {os.getpid()} on {platform.node()}".encode())
        return True

    def free(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def holder(self) -> str:
        """What the one who took it last wrote."""
        return self._path.read_text(encoding="utf-8", errors="replace").strip()


def _locked(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, 1 << 20, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
