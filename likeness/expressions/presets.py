"""Named expressions, made only of parameters whose meaning is known: the jaw and the eyelids.

FLAME's 50 components are principal components. Its authors say that they have no meaning of their own, and
no published table names them; a smile or a frown lies in a mixture that is not known here. So no preset
sets a component: those expressions are read off a photo instead. A preset may name components once
somebody has looked at them with FLAME itself.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

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


def preset(name: str) -> torch.Tensor:
    """The parameters [1, 55] float32 of a preset. Raises ValueError naming those there are."""
    if name not in PRESETS:
        raise ValueError(f"preset: there is no {name!r}. There are: {NONE}, {', '.join(PRESETS)}.")
    parameters = torch.zeros(1, 55)
    for place, value in PRESETS[name].items():
        parameters[0, place] = value
    return parameters
