"""Changing an expression by hand: towards a preset, then sliders, then how much of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ..values import Expression
from .presets import JAW_OPEN, JAW_SIDEWAYS, JAW_TILT, LEFT_EYELID, NONE, RIGHT_EYELID, preset
from .smirk import limit


@dataclass(frozen=True)
class Slider:
    """One of the 55 parameters that can be moved: its place, how far either way, and what it does."""

    place: int
    reach: float
    step: float
    text: str


def _component(number: int) -> Slider:
    text = (
        f"Added to component {number} of FLAME's 50 (a principal component: it has no meaning of its own "
        "and moves several parts of the face). About 1 is usual, 3 extreme; negative is the opposite."
    )
    return Slider(number - 1, 3.0, 0.05, text)


#: In the order of the node's widgets.
SLIDERS: Mapping[str, Slider] = {
    "jaw_open": Slider(
        JAW_OPEN, 1.0, 0.01, "Opens the mouth, in radians: 0.2 is open, 0.4 wide. Negative closes it."
    ),
    "jaw_sideways": Slider(
        JAW_SIDEWAYS,
        0.2,
        0.01,
        "Turns the chin to a side, in radians. By FLAME's axes positive is the person's left (not tried "
        "with real weights).",
    ),
    "jaw_tilt": Slider(
        JAW_TILT,
        0.2,
        0.01,
        "Tilts the jaw about the line of sight, in radians. By FLAME's axes positive swings the chin to the "
        "person's left (not tried with real weights).",
    ),
    "left_eyelid": Slider(
        LEFT_EYELID, 1.0, 0.01, "Closes the person's left eye: 1 shuts it. Negative opens a closed one."
    ),
    "right_eyelid": Slider(
        RIGHT_EYELID, 1.0, 0.01, "Closes the person's right eye: 1 shuts it. Negative opens a closed one."
    ),
    **{f"component_{number}": _component(number) for number in range(1, 11)},
}


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
