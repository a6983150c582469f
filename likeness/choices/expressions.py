"""Expressions: SMIRK's files, presets, and the sliders of what can be moved by hand.

FLAME's 50 components are principal components. Its authors say that they have no meaning of their own, and
no published table names them; a smile or a frown lies in a mixture that is not known here. So no preset
sets a component: those expressions are read off a photo instead. A preset may name components once
somebody has looked at them with FLAME itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..weights.chosen import list_files as list_chosen

FOLDER, PUBLISHED = "smirk", "smirk/em1"

#: Places of the parameters with a meaning among the 55. Left and right are the person's own.
LEFT_EYELID, RIGHT_EYELID, JAW_OPEN, JAW_SIDEWAYS, JAW_TILT = range(50, 55)

#: The choice that changes nothing.
NONE = "none"

#: Name -> the parameters that are not zero. How far the jaw opens for each name is a choice by eye, not a
#: measurement.
PRESETS: Mapping[str, Mapping[int, float]] = {
    "neutral": {},
    "lips parted": {JAW_OPEN: 0.08},
    "mouth open": {JAW_OPEN: 0.2},
    "mouth wide open": {JAW_OPEN: 0.4},
    "surprised (jaw only)": {JAW_OPEN: 0.3},
    "shout": {JAW_OPEN: 0.4, LEFT_EYELID: 0.3, RIGHT_EYELID: 0.3},
    "yawn": {JAW_OPEN: 0.45, LEFT_EYELID: 0.8, RIGHT_EYELID: 0.8},
    "eyes closed": {LEFT_EYELID: 1.0, RIGHT_EYELID: 1.0},
    "asleep": {LEFT_EYELID: 1.0, RIGHT_EYELID: 1.0, JAW_OPEN: 0.05},
    "drowsy": {LEFT_EYELID: 0.6, RIGHT_EYELID: 0.6},
    "narrowed eyes": {LEFT_EYELID: 0.35, RIGHT_EYELID: 0.35},
    "wink left": {LEFT_EYELID: 1.0},
    "wink right": {RIGHT_EYELID: 1.0},
    "chin to the left": {JAW_SIDEWAYS: 0.15},
    "chin to the right": {JAW_SIDEWAYS: -0.15},
    "crooked jaw": {JAW_OPEN: 0.1, JAW_SIDEWAYS: 0.1, JAW_TILT: 0.1},
}

#: What stands for no face at all: no distance is negative.
NOBODY = -1.0


class Slider(NamedTuple):
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


def list_files() -> list[str]:
    return list_chosen(FOLDER, PUBLISHED)
