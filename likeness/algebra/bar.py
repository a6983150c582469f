"""A bar for similarities, as users write it: a cosine, or one stranger in so many."""

from __future__ import annotations

import math
import re

from ..values import recogniser_text
from .calibration import Calibration, shipped

_RATE = re.compile(r"1\s*(?:in|:|/)\s*([0-9][0-9_,' ]*(?:\.[0-9]+)?(?:e\+?[0-9]+)?)", re.IGNORECASE)


def least_similarity(
    at_least: str | float, recogniser: str, calibration: Calibration | None = None
) -> float | None:
    """`0.4` or `1 in 10000` (also 1:10000, 1/10000) as a cosine of this recogniser; nothing: None.

    calibration: None is the shipped one. Raises ValueError for what is neither, for numbers out of
    range, for a recogniser without calibration, and for a rate that its calibration does not reach.
    """
    text = str(at_least).strip()
    if not text:
        return None
    rate = _RATE.fullmatch(text)
    if rate is None:
        return _cosine(text)
    one_in = float(re.sub(r"[_,' ]", "", rate[1]))
    if not 1 <= one_in < math.inf:
        raise ValueError(f"at_least: {text!r} is no rate. Write how many strangers, such as 1 in 1000.")
    curve = (shipped() if calibration is None else calibration).get(recogniser)
    if curve is None:
        raise ValueError(
            f"at_least is {text}, but {recogniser_text(recogniser)} is not calibrated: nobody has said which "
            "similarity that is. Write a similarity, such as 0.4, or measure it on folders of people: python "
            "-m tools.calibrate DIR."
        )
    try:
        return curve.similarity(one_in)
    except ValueError as error:
        raise ValueError(
            f"at_least is {text}, but the calibration of {recogniser} does not reach that: {error}. Write a "
            "similarity, such as 0.5, or measure more people: python -m tools.calibrate DIR."
        ) from error


def _cosine(text: str) -> float:
    try:
        similarity = float(text)
    except ValueError:
        raise ValueError(
            f"at_least: {text!r} is neither a similarity, such as 0.4, nor a rate of strangers, such as 1 in "
            "10000."
        ) from None
    if not -1 <= similarity <= 1:
        raise ValueError(
            f"at_least: a similarity is from -1 to 1, not {text}. For a rate of strangers write 1 in {text}."
        )
    return similarity
