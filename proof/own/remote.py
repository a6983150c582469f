"""A ComfyUI that somebody else started: prompts in, pictures, seconds and memory out."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from installer.server import Server, ServerError

#: Seconds between two looks at the server's memory.
_EVERY = 0.1
#: Seconds for one picture: a large model on a CPU takes its time.
_LONGEST = 6 * 3600.0


class Remote(Server):
    """By its address. It is neither started nor ended here. Raises ValueError when nobody answers there."""

    def __init__(self, url: str) -> None:
        super().__init__("", Path(), Path(), ())
        self.url = url.rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"--server {url} must begin with http:// or https://.")
        try:
            self.stats()
        except (OSError, ServerError, KeyError) as error:
            raise ValueError(
                f"No ComfyUI answers at {url} ({error}). Start it, or give its address with --server."
            ) from error

    def stats(self) -> dict[str, Any]:
        """What /system_stats tells."""
        told = self._json("/system_stats")
        return {"system": told["system"], "devices": told["devices"]}

    def outputs(self) -> dict[str, list[str]]:
        """The types that each class of node gives."""
        return {name: [str(kind) for kind in node["output"]] for name, node in self.object_info().items()}

    def draw(self, nodes: dict[str, Any], save: str) -> tuple[bytes, float, float]:
        """(the first picture that the node saved, seconds, MB at most). Raises ServerError.

        seconds: NaN when the server had drawn it before.
        """
        with self._watched() as watched:
            entry = self.run(nodes, timeout=_LONGEST)
        pictures = entry["outputs"].get(save, {}).get("images", [])
        if not pictures:
            raise ServerError("the node that saves gave no picture")
        seconds = float("nan") if _cached(entry, save) else _seconds(entry)
        return self.image(pictures[0]), seconds, watched.most

    @contextlib.contextmanager
    def _watched(self) -> Iterator[_Watched]:
        """Looks at the memory until the block ends."""
        watched, over = _Watched(), threading.Event()

        def look() -> None:
            while not over.wait(_EVERY):
                # A server that is too busy to say is asked again; one that is gone is the run's own matter.
                with contextlib.suppress(OSError, ServerError):
                    watched.see(self.stats())

        watched.see(self.stats())
        watcher = threading.Thread(target=look, daemon=True)
        watcher.start()
        try:
            yield watched
        finally:
            over.set()
            watcher.join()
            watched.see(self.stats())


@dataclass
class _Watched:
    """most: MB; of a graphics card what PyTorch holds and uses there, of a CPU what the machine uses."""

    most: float = field(default=0.0)

    def see(self, stats: dict[str, Any]) -> None:
        self.most = max(self.most, used(stats))


def used(stats: dict[str, Any]) -> float:
    """MB in use by what /system_stats tells."""
    device, system = stats["devices"][0], stats["system"]
    if device["type"] == "cpu":
        return float(system["ram_total"] - system["ram_free"]) / 2**20
    return float(device["torch_vram_total"] - device["torch_vram_free"]) / 2**20


def _seconds(entry: dict[str, Any]) -> float:
    """From the prompt's begin to its end, by the server's clock."""
    stamps = {kind: data["timestamp"] for kind, data in entry["status"]["messages"] if "timestamp" in data}
    return float(stamps["execution_success"] - stamps["execution_start"]) / 1000


def _cached(entry: dict[str, Any], save: str) -> bool:
    """Whether the server gave what it had drawn before."""
    told = entry["status"]["messages"]
    return any(save in data.get("nodes", ()) for kind, data in told if kind == "execution_cached")
