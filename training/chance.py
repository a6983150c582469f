"""Randomness that depends on nothing but numbers: a run that goes on draws what an unbroken one would."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import torch


def number(*parts: int | str) -> int:
    """63 bits out of seed, step, process, or whatever tells one draw from another."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


def generator(*parts: int | str) -> torch.Generator:
    """A generator on the CPU for these parts alone."""
    return torch.Generator().manual_seed(number(*parts))


@lru_cache(maxsize=2)
def order(count: int, seed: int, epoch: int) -> list[int]:
    """All of range(count), shuffled anew for each epoch."""
    shuffled: list[int] = torch.randperm(count, generator=generator("order", seed, epoch)).tolist()
    return shuffled


def place(position: int, count: int, seed: int) -> int:
    """Which of `count` things comes at a position of the endless order, every one once per epoch."""
    return order(count, seed, position // count)[position % count]


def whole(low: int, high: int, source: torch.Generator) -> int:
    """A whole number from low to high, both included."""
    return int(torch.randint(low, high + 1, (), generator=source))


def happens(chance: float, source: torch.Generator) -> bool:
    return float(torch.rand((), generator=source)) < chance
