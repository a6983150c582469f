"""sha256 of large files, remembered from one run to the next as long as size and time stay the same."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path

from installer.paths import cache_root

_PIECE = 1 << 22


class Digests:
    """file: where they are remembered; the cache folder's own if not given."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or cache_root() / "batch-digests.json"
        self._known: dict[str, str] | None = None

    def of(self, path: str) -> str:
        """sha256 of a file, or of a folder's files with their names; "" if nothing is there."""
        place = Path(path)
        if place.is_dir():
            inside = sorted(file for file in place.rglob("*") if file.is_file())
            names = [(file.relative_to(place).as_posix(), self.of(str(file))) for file in inside]
            return hashlib.sha256(json.dumps(names).encode()).hexdigest() if names else ""
        try:
            facts = place.stat()
            key = f"{place.resolve()}|{facts.st_size}|{facts.st_mtime_ns}"
            if key not in self._all():
                self._all()[key] = file_sha256(place)
                self._keep()
            return self._all()[key]
        except OSError:
            return ""

    def _all(self) -> dict[str, str]:
        if self._known is None:
            try:
                self._known = dict(json.loads(self._file.read_text(encoding="utf-8")))
            except (OSError, ValueError):
                self._known = {}
        return self._known

    def _keep(self) -> None:
        # Only a memory: where it can't be written, files are read again the next time.
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part = self._file.with_name(f"{self._file.name}.{os.getpid()}.part")
            part.write_text(json.dumps(self._all()), encoding="utf-8")
            part.replace(self._file)


def file_sha256(path: Path) -> str:
    """Raises OSError."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            found.update(piece)
    return found.hexdigest()
