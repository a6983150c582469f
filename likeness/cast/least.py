"""How like somebody a face must be, to be theirs."""

from __future__ import annotations

from ..algebra.bar import least_similarity
from ..algebra.calibration import Calibration


def bar(at_least: str | float, recogniser: str, calibration: Calibration | None = None) -> float:
    """`0.4` or `1 in 10000` as a cosine of this recogniser, see algebra.bar. Here there must be one.

    calibration: None is the shipped one. Raises ValueError for nothing, for what is neither, and for a rate
    that the recogniser's calibration does not reach.
    """
    similarity = least_similarity(at_least, recogniser, calibration)
    if similarity is None:
        raise ValueError(
            "at_least is empty, but who is who needs a bar. Write a similarity, such as 0.4, or a rate of "
            "strangers, such as 1 in 1000."
        )
    return similarity
