"""Changing an expression by hand: towards a preset, then sliders, then how much of it."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ..choices.expressions import NONE, SLIDERS
from ..values import Expression
from .presets import preset
from .smirk import limit


def edit_expression(
    expression: Expression | None = None,
    name: str = NONE,
    strength: float = 1.0,
    sliders: Mapping[str, float] | None = None,
    mix: float = 1.0,
) -> Expression:
    """An expression changed in this order; None starts from the neutral face.

    name, strength: goes so far towards a preset (1 reaches it, more overshoots, negative goes away from it).
    sliders: by name in SLIDERS, added; the result stays within SMIRK's limits. mix: 0 gives `expression`
    back bit for bit, 1 the changed one. Raises ValueError for an unknown preset or slider, mix outside 0..1.
    """
    if not 0 <= mix <= 1:
        raise ValueError(f"mix must be from 0 to 1, not {mix}.")
    start = torch.zeros(1, 55) if expression is None else expression.parameters
    edited = start if name == NONE else torch.lerp(start, preset(name), float(strength))
    edited = limit(edited + _offsets(sliders or {}))
    return Expression(torch.lerp(start, edited, float(mix)))


def _offsets(sliders: Mapping[str, float]) -> torch.Tensor:
    offsets = torch.zeros(1, 55)
    for slider, value in sliders.items():
        if slider not in SLIDERS:
            raise ValueError(f"There is no slider {slider!r}. There are: {', '.join(SLIDERS)}.")
        offsets[0, SLIDERS[slider].place] += float(value)
    return offsets
