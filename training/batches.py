"""Batches of a data set in the order of their numbers, read ahead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader, Dataset


def batches(samples: Dataset[Any], first: int, last: int, workers: int) -> Iterator[Any]:
    """Batches first .. last - 1 in order, read ahead by so many processes."""
    loader: Any = DataLoader(samples, batch_size=None, sampler=range(first, last), num_workers=workers)
    return iter(loader)
