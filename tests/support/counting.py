"""Counts how often a real ONNX session runs, and on how many faces."""

from __future__ import annotations

from typing import Any

import pytest


class CountingSession:
    """Everything goes to the real session; runs holds the batch size of each call."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.runs: list[int] = []

    def run(self, names: Any, feed: dict[str, Any]) -> Any:
        self.runs.append(len(next(iter(feed.values()))))
        return self.real.run(names, feed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def count_runs(recogniser: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the calls the recogniser makes from now on, while the test runs."""
    counting = CountingSession(recogniser.session)
    if recogniser.network is None:
        monkeypatch.setitem(vars(recogniser), "session", counting)  # it is frozen
    else:
        monkeypatch.setattr(recogniser.network, "session", counting)
    return counting.runs
