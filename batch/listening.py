"""The host's socket, for the progress bar and the seconds per node. Nothing waits for what it says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from installer.events import messages

from .values import Progress


class Listener:
    """Hears a host out in a thread of its own until the host hangs up, then tries again until stopped."""

    def __init__(self, url: str, client: str, worker: str) -> None:
        self._url, self._client, self._worker = url, client, worker
        self._lock = threading.Lock()
        self._prompt = self._node = ""
        self._names: Mapping[str, str] = {}
        self._tell: Callable[[Progress], None] | None = None
        self._since = 0.0
        self._timings: dict[str, float] = {}
        self._stopped = threading.Event()
        threading.Thread(target=self._listen, name=f"{worker} listens", daemon=True).start()

    def follow(self, prompt: str, names: Mapping[str, str], tell: Callable[[Progress], None] | None) -> None:
        """From now on it is about this prompt. names: titles by node id."""
        with self._lock:
            self._prompt, self._names, self._tell = prompt, names, tell
            self._node, self._timings = "", {}

    def end(self) -> dict[str, float]:
        """Seconds per title, as far as they were heard."""
        with self._lock:
            self._leave()
            self._prompt = ""
            return {title: round(seconds, 4) for title, seconds in self._timings.items()}

    def stop(self) -> None:
        self._stopped.set()

    def _listen(self) -> None:
        while not self._stopped.is_set():
            try:
                for kind, data in messages(self._url, self._client):
                    self._hear(kind, data)
            except (OSError, ValueError):
                pass  # whether the host is gone is not the socket's to say
            self._stopped.wait(0.5)

    def _hear(self, kind: str, data: Mapping[str, Any]) -> None:
        with self._lock:
            if not self._prompt or data.get("prompt_id") != self._prompt:
                return
            if kind == "executing":
                self._leave()
                self._node, self._since = str(data.get("node") or ""), time.monotonic()
                step = (0, 0)
            elif kind == "progress":
                step = int(data.get("value", 0)), int(data.get("max", 0))
            else:
                return
            tell, title = self._tell, self._names.get(self._node, "")
        if tell is not None and title:
            tell(Progress(self._worker, title, *step))

    def _leave(self) -> None:
        if self._node:
            title = self._names.get(self._node, self._node)
            self._timings[title] = self._timings.get(title, 0.0) + time.monotonic() - self._since
        self._node = ""
