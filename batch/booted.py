"""What a booted host says of itself: its nodes, its versions, where its models lie."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from installer.paths import REPOSITORY

from .pool import Pool
from .values import Died, Event, Ready, WorldError

#: Seconds beyond a boot's after which a worker that says nothing is given up.
_SILENT = 120.0
#: What decides how this pack draws.
_SOURCES = ("likeness", "nodes")


@dataclass(frozen=True)
class Booted:
    """info: /object_info. stats: /system_stats. folders: folders of models by kind. events: what was told."""

    worker: str
    info: Mapping[str, Any]
    stats: Mapping[str, Any]
    folders: Mapping[str, Sequence[str]]
    events: Sequence[Event]

    @property
    def versions(self) -> dict[str, str]:
        """What goes into a row's key: this pack as it is, and the host's version."""
        system = self.stats.get("system", {})
        return {"pack": pack_digest(), "host": str(system.get("comfyui_version", ""))}


def first_ready(pool: Pool, timeout: float) -> Booted:
    """Wait for the first worker of a started pool and ask its host. Raises WorldError if none boots.

    timeout: of a boot, which workers keep themselves; one that says nothing at all is waited for longer.
    """
    events: list[Event] = []
    end = time.monotonic() + timeout + _SILENT
    while time.monotonic() < end:
        new = pool.poll(0.5)
        events += new
        for event in new:
            if isinstance(event, Died):
                raise WorldError(f"{event.worker} could not start. {event.why}")
            if isinstance(event, Ready):
                return _ask(pool, event.worker, events)
    raise WorldError(f"No worker was ready within {timeout + _SILENT:.0f} s.")


def _ask(pool: Pool, worker: str, events: list[Event]) -> Booted:
    try:
        info, stats = (json.loads(pool.ask(worker, path)) for path in ("/object_info", "/system_stats"))
        folders = json.loads(pool.ask(worker, "/internal/folder_paths"))
    except (ConnectionError, ValueError) as error:
        raise WorldError(f"The host of {worker} doesn't say what it has: {error}") from error
    return Booted(worker, info, stats, folders, events)


def model_digests(pool: Pool, booted: Booted, names: Iterable[str]) -> dict[str, str]:
    """sha256 of each model by the name that workflows call it; "" for one that lies in none of the folders.

    Where files of that name lie in several, all of them are in the digest.
    """
    folders = dict.fromkeys(str(folder) for kind in booted.folders.values() for folder in kind)
    found = {}
    for name in names:
        parts = [
            part for folder in folders if (part := pool.digest(booted.worker, str(PurePath(folder, name))))
        ]
        parts = list(dict.fromkeys(parts))
        joined = hashlib.sha256("".join(sorted(parts)).encode()).hexdigest()
        found[name] = "" if not parts else parts[0] if len(parts) == 1 else joined
    return found


def pack_digest() -> str:
    """Of the sources that draw: a new version of a page or a test draws the same."""
    found = hashlib.sha256()
    for room in _SOURCES:
        for path in sorted(Path(REPOSITORY / room).rglob("*.py")):
            found.update(path.relative_to(REPOSITORY).as_posix().encode())
            found.update(path.read_bytes())
    return found.hexdigest()[:16]
