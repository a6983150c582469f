"""Is it a face? How far its parts, as the face parser sees them, are from the usual arrangement.

A detector and a judge of who it is find single features again wherever they lie. True pictures say how large
eyes, nose and mouth are, where in the face they belong, and how sure of them the parser is: a Gaussian of
true pictures and such through the autoencoder. Brows count by the parser's sureness alone, for hair hides
them in one true picture of thirty.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from likeness.faces.labels import NAMES

Numbers = NDArray[np.float64]
FILE = Path(__file__).with_name("whole.json")

#: The part of those measured that are nearer than the limit, each seen as if it had not been measured. With
#: few faces that is strict: of others more than 0.95 are nearer.
INSIDE = 0.9


def _classes(*names: str) -> list[int]:
    return [NAMES.index(name) for name in names]


_PARTS = (
    _classes("left eye"),
    _classes("right eye"),
    _classes("nose"),
    _classes("mouth", "upper lip", "lower lip"),
)
_SEEN = [*_classes("left brow", "right brow"), *(number for part in _PARTS for number in part)]
_FACE = [*_classes("skin", "glasses"), *_SEEN]
#: Pixels below which a part, and a face, is none.
_LEAST, _LEAST_FACE = 3, 50
#: Of how much is seen of each part: logarithm of the area; across and up; logarithms of its reach.
_EACH = 5
COUNT = len(_PARTS) * _EACH + 1


def arrangement(scores: NDArray[np.float32]) -> Numbers:
    """Probabilities of the 19 classes [19, H, W] -> COUNT numbers; NaN where eyes, nose or mouth are missing.

    Lengths are in parts of the face's width, places are told from the middle of its chin.
    """
    labels, sure = scores.argmax(0), scores.max(0)
    up, across = np.nonzero(np.isin(labels, _FACE))
    if len(up) < _LEAST_FACE:
        return np.full(COUNT, np.nan)
    # A few stray pixels move neither side.
    left, right = np.percentile(across, (1, 99))
    chin, middle, wide = np.percentile(up, 99), (left + right) / 2, max(right - left, 1.0)
    found: list[float] = []
    for part in _PARTS:
        y, x = np.nonzero(np.isin(labels, part))
        if len(y) < _LEAST:
            return np.full(COUNT, np.nan)
        reach = np.log(np.maximum((x.std() / wide, y.std() / wide), 1e-3))
        found += [np.log(len(y) / wide**2), (x.mean() - middle) / wide, (chin - y.mean()) / wide, *reach]
    return np.array([*found, sure[np.isin(labels, _SEEN)].mean(dtype=np.float64)])


@dataclass(frozen=True, eq=False)
class Usual:
    """mean [COUNT] and covariance [COUNT, COUNT] of faces that are whole; limit: how far such are at most."""

    mean: Numbers
    covariance: Numbers
    limit: float

    @classmethod
    def of(cls, seen: Numbers) -> Usual:
        """Of arrangements [n, COUNT]; those with a part missing take no part. Raises ValueError for few."""
        whole = seen[np.isfinite(seen).all(1)]
        if len(whole) < 4 * COUNT:
            raise ValueError(f"{len(whole)} whole faces are too few: at least {4 * COUNT} are needed.")
        # Each against all others: none of them is to be usual because it was counted itself.
        left_out = []
        for n in range(len(whole)):
            rest = np.delete(whole, n, axis=0)
            left_out.append(cls(rest.mean(0), np.cov(rest.T), np.inf).distance(whole[n]))
        return cls(whole.mean(0), np.cov(whole.T), float(np.quantile(left_out, INSIDE)))

    def distance(self, seen: Numbers) -> Numbers:
        """Mahalanobis' of arrangements [..., COUNT]; infinite with a part missing."""
        off = seen - self.mean
        squared = (off * np.linalg.solve(self.covariance, off[..., None])[..., 0]).sum(-1)
        return np.where(np.isfinite(squared), np.sqrt(np.maximum(squared, 0)), np.inf)

    def whole(self, scores: NDArray[np.float32]) -> bool:
        """Of one picture's probabilities [19, H, W]."""
        return bool(self.distance(arrangement(scores)) <= self.limit)

    def text(self) -> str:
        """JSON."""
        told = {
            "limit": round(self.limit, 4),
            "mean": self.mean.round(6).tolist(),
            "covariance": self.covariance.round(8).tolist(),
        }
        return json.dumps(told) + "\n"


@lru_cache(maxsize=1)
def usual() -> Usual:
    """As measured on people of the unseen stream: `python -m proof world usual`."""
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    return Usual(np.array(kept["mean"]), np.array(kept["covariance"]), kept["limit"])
