"""Conditionings cut in time. Spec: conditioning.md section 0.3."""

from __future__ import annotations

from ..values import Conditioning

#: How far before its percentage a border lies: so a step at exactly that percentage is in the second part.
SHIFT = 5e-4


def split_at(conditioning: Conditioning, percent: float) -> tuple[Conditioning, Conditioning]:
    """(what acts before `percent` of the schedule, what acts from there on); either may be empty.

    Each entry's own range is kept to; entries that a border does not cut keep their facts as they are. Both
    parts name the same border, so no step is without either: the host keeps an entry at both its ends. Facts
    are copied, tensors are shared. Raises ValueError for a percentage outside 0 to 1.
    """
    if not 0.0 <= percent <= 1.0:
        raise ValueError(f"{percent} is no part of the schedule: 0 is its start, 1 its end.")
    border = percent - SHIFT if percent < 1.0 else 1.0
    before: Conditioning = []
    after: Conditioning = []
    for tensor, facts in conditioning:
        start, end = float(facts.get("start_percent", 0.0)), float(facts.get("end_percent", 1.0))
        if percent == 1.0 or end <= border:
            before.append([tensor, dict(facts)])
        elif border <= max(start, 0.0):
            after.append([tensor, dict(facts)])
        else:
            before.append([tensor, {**facts, "start_percent": start, "end_percent": border}])
            after.append([tensor, {**facts, "start_percent": border, "end_percent": end}])
    return before, after
