"""How long things take, compared within one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def ratios(rounds: int, plain: Callable[[], object], *others: Callable[[], object]) -> list[str]:
    """Processor time of each over plain's: the median of pairs run one after the other, and the quartiles."""

    def seconds(action: Callable[[], object]) -> float:
        start = time.thread_time()
        action()
        return time.thread_time() - start

    for action in (plain, *others):
        action()
    pairs: list[list[float]] = [[] for _ in others]
    for _ in range(rounds):
        for kept, other in zip(pairs, others, strict=True):
            base = seconds(plain)
            kept.append(seconds(other) / base)
    quartiles = [statistics.quantiles(kept, n=4) for kept in pairs]
    return [f"{middle:.3f}x ({low:.3f} to {high:.3f})" for low, middle, high in quartiles]


def best_of(repeats: int, *actions: Callable[[], object]) -> list[float]:
    """Seconds of the fastest run of each action; they take turns, so that a busy machine hits all alike."""
    best = [float("inf")] * len(actions)
    for repeat in range(repeats + 2):
        for place, action in enumerate(actions):
            start = time.perf_counter()
            action()
            if repeat >= 2:
                best[place] = min(best[place], time.perf_counter() - start)
    return best
