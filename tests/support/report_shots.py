"""What a row of the drawn world's report measured, made up."""

from __future__ import annotations

from typing import Any

import numpy as np

from proof.report.shots import Shots


def shots(count: int = 12, **values: Any) -> Shots:
    given: dict[str, Any] = {
        "people": np.arange(count),
        "found": np.ones(count, bool),
        "whole": np.ones(count, bool),
        "right": np.ones((count, 6), bool),
        "seconds": np.ones(count),
        "pictures": np.zeros((8, 128, 128, 3), np.uint8),
    }
    names = ("likeness", "reference", "copy_paste", "expression", "attributes", "points", "second", "reading")
    for name in names:
        given[name] = np.full(count, values.pop(name, 0.5))
    return Shots(**{**given, **values})
