"""A person's face as curves, from the person's numbers and the expression. Units: see canvas.Frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .people import Person
from .scene import Expression
from .shapes import Points, smooth

_LIGHT_SKIN, _DARK_SKIN = (235, 190, 156), (216, 164, 128)
_IRISES = ((58, 118, 178), (86, 132, 84), (92, 54, 30))

#: Of a face with all numbers 0, from the crown down its right side: height, part of the half width.
_OUTLINE = np.array(
    [(-0.94, 0.5), (-0.68, 0.86), (-0.3, 0.99), (0.08, 0.98), (0.4, 0.89), (0.69, 0.7), (0.91, 0.38)]
)


@dataclass(frozen=True)
class Eye:
    """One eye: side -1 or 1 of the picture, its middle, half axes, slant (outer corner up), lids 0..1."""

    side: int
    middle: tuple[float, float]
    wide: float
    high: float
    slant: float
    lids: float
    gaze: float


@dataclass(frozen=True)
class Head:
    numbers: dict[str, float]
    expression: Expression
    half: float
    chin: float
    outline: Points
    eyes: tuple[Eye, Eye]
    nose: tuple[float, float]
    mouth: tuple[float, float]
    skin: tuple[float, ...]
    iris: tuple[float, ...]

    def __getitem__(self, name: str) -> float:
        """A number of the person."""
        return self.numbers[name]

    @property
    def corners(self) -> Points:
        """Of the mouth, the one at the picture's left first."""
        across, lift = self.mouth_reach
        y = self.mouth[1] - lift
        return np.array([(-across, y), (across, y)])

    @property
    def mouth_reach(self) -> tuple[float, float]:
        """Half the mouth's width, and how far its corners are lifted."""
        expression = self.expression
        wide = 0.235 + 0.065 * self["mouth_width"]
        gap = max(expression.open, 0.0)
        return wide * (1 + 0.13 * expression.smile - 0.12 * gap), 0.07 * expression.smile + 0.012

    @property
    def lips(self) -> tuple[float, float, float]:
        """Thickness of the upper and the lower lip, and the gap between them."""
        thin = 1 + 0.25 * min(self.expression.open, 0.0)
        gap = 0.17 * max(self.expression.open, 0.0)
        return (0.06 + 0.038 * self["upper_lip"]) * thin, (0.085 + 0.046 * self["lower_lip"]) * thin, gap


def head_of(person: Person, expression: Expression) -> Head:
    """The face of a person with an expression."""
    n = person.named()
    half = 0.7 + 0.1 * n["face_width"]
    chin = (
        1.0
        + 0.09 * n["chin_length"]
        + 0.03 * n["mouth_height"]
        + 0.04 * n["nose_length"]
        + 0.05 * max(expression.open, 0.0)
    )
    eyes = (_eye(n, expression, -1), _eye(n, expression, 1))
    tip = eyes[0].middle[1] + 0.4 + 0.11 * n["nose_length"]
    mouth = tip + 0.225 + 0.05 * n["mouth_height"]
    return Head(
        numbers=n,
        expression=expression,
        half=half,
        chin=chin,
        outline=_outline(n, half, chin),
        eyes=eyes,
        nose=(0.13 + 0.055 * n["nose_width"], tip),
        mouth=(0.0, mouth),
        skin=_between((_LIGHT_SKIN, _DARK_SKIN), n["skin"]),
        iris=_between(_IRISES, n["iris"]),
    )


def _outline(n: dict[str, float], half: float, chin: float) -> Points:
    heights, parts = _OUTLINE[:, 0].copy(), _OUTLINE[:, 1].copy()
    low = heights > 0.3
    heights[low] += (chin - 1.0) * (heights[low] - 0.3) / 0.7
    parts[3] += 0.09 * n["cheekbones"]
    parts[4] += 0.05 * n["cheekbones"] + 0.05 * n["jaw_width"]
    parts[5] += 0.15 * n["jaw_width"]
    parts[6] += 0.03 + 0.07 * n["jaw_width"] + 0.15 * n["chin_width"]
    right = np.stack([parts * half, heights], axis=1)
    left = right[::-1] * (-1, 1)
    return smooth(np.concatenate([[(0, -1.0)], right, [(0, chin)], left]))


def _eye(n: dict[str, float], expression: Expression, side: int) -> Eye:
    wide = 0.15 + 0.045 * n["eye_size"]
    apart = 0.3 + 0.5 * (wide - 0.15) + 0.06 * n["eye_gap"]
    high = wide * (0.58 + 0.19 * n["eye_roundness"])
    # A smile narrows the eyes a little, raised brows open them.
    lids = min(max(expression.lids + 0.12 * expression.smile - 0.1 * expression.brows, 0.0), 1.0)
    lids = 1.0 if expression.lids >= 1 else lids
    y = -0.05 - 0.06 * n["eye_height"]
    return Eye(side, (side * apart, y), wide, high, 0.2 * n["eye_slant"], lids, expression.gaze)


def _between(colours: tuple[tuple[int, ...], ...], number: float) -> tuple[float, ...]:
    """number -1: the first, 1: the last."""
    at = (number + 1) / 2 * (len(colours) - 1)
    return tuple(float(np.interp(at, range(len(colours)), channel)) for channel in zip(*colours, strict=True))
