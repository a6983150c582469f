"""Named expressions as parameters. Which there are, and why so few, is in choices/expressions.py."""

from __future__ import annotations

import torch

from ..choices.expressions import NONE, PRESETS


def preset(name: str) -> torch.Tensor:
    """The parameters [1, 55] float32 of a preset. Raises ValueError naming those there are."""
    if name not in PRESETS:
        raise ValueError(f"preset: there is no {name!r}. There are: {NONE}, {', '.join(PRESETS)}.")
    parameters = torch.zeros(1, 55)
    for place, value in PRESETS[name].items():
        parameters[0, place] = value
    return parameters
