"""What is measured of one picture, in closed form; cosines and intervals are the report's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from likeness.expressions.distance import RATIO_NAMES
from likeness.faces.labels import NAMES

from ..report import measures

Numbers = NDArray[np.float64]

#: A part of a face is there from this share of the square around it on: a few stray pixels are none.
SEEN = 0.005


def to_photos(vector: Numbers, photos: Numbers) -> float:
    """Mean cosine of a vector [D] with a person's photos [n, D]."""
    return float(measures.cosine(vector[None], photos).mean())


def copied(vector: Numbers, truths: Numbers, reference: Numbers) -> float:
    """Mean copy-paste of a vector [D] over the truths [n, D]; NaN where reference and truths are one."""
    each = measures.copy_paste(np.broadcast_to(vector, truths.shape).copy(), truths, reference[None])
    there = each[np.isfinite(each)]
    return float(there.mean()) if len(there) else float("nan")


def expression_error(ratios: Numbers, asked: Mapping[str, tuple[float, float]]) -> float:
    """How far proportions of a face [5, 2] lie outside of what is asked, on the mean; NaN for no question.

    Left and right count apart; inside of the two numbers the error is 0.
    """
    if not asked:
        return float("nan")
    errors = []
    for name, (least, most) in asked.items():
        found = ratios[RATIO_NAMES.index(name)]
        errors.append(np.maximum(np.maximum(least - found, found - most), 0.0).mean())
    return float(np.mean(errors))


def attributes_right(shares: Numbers, asked: Mapping[str, bool]) -> float:
    """The part of the attributes asked for that is as asked, of the shares [19] of a face's square."""
    if not asked:
        return float("nan")
    if np.isnan(shares).any():
        return float("nan")
    return float(np.mean([(shares[NAMES.index(name)] >= SEEN) == there for name, there in asked.items()]))


def sharpness(grey: Numbers) -> float:
    """Deviation of the Laplacian (four neighbours) of a picture [H, W] in 0..255, without its edge."""
    inner = grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float((around - 4 * inner).std())
