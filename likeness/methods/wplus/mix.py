"""Codes mixed layer by layer."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch

from ...adapters.projectors.layer_groups import LAYERS
from ...choices.wplus import ALL
from .value import WPlus

_PART = re.compile(r"\s*(\d{1,3})\s*(?:-\s*(\d{1,3})\s*)?")


def layers_of(text: str, what: str = "layers") -> list[int]:
    """The layers that a text names, in order: `all`, `0-7`, `0-3, 8`. Both ends count.

    Raises ValueError naming the part that is none.
    """
    if text.strip().lower() in ("", ALL):
        return list(range(LAYERS))
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last < LAYERS:
            raise ValueError(
                f"{what}: {part.strip()!r} names no layers: a code has 0 to {LAYERS - 1}. Write {ALL}, or "
                "numbers and ranges such as 0-7."
            )
        found.update(range(first, last + 1))
    return sorted(found)


def mix(one: WPlus, other: WPlus, amount: float, layers: Sequence[int] = range(LAYERS)) -> WPlus:
    """one, with `amount` of the way to the other in these layers: 0 is one, 1 the other, beyond goes on.

    A single code goes with each of several. Raises ValueError for two numbers of codes that do not fit.
    """
    a, b = one.codes, other.codes
    if len(a) != len(b) and 1 not in (len(a), len(b)):
        raise ValueError(
            f"wplus_a holds {len(a)} codes and wplus_b {len(b)}: connect as many to both, or one to either."
        )
    count, there = max(len(a), len(b)), list(layers)
    mixed = a.expand(count, -1, -1).clone()
    mixed[:, there] = torch.lerp(mixed[:, there], b[:, there].expand(count, -1, -1), amount)
    return WPlus(mixed, f"{1 - amount:g} x ({one.source}) + {amount:g} x ({other.source})")
