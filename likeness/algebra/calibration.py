"""What a similarity is worth: how many strangers are looked at until one reaches it.

A cosine means something else for each recogniser. A calibration file says for a few similarities how rare
strangers are who reach them: shipped from published facts, or measured on folders of people by
`python -m tools.calibrate`. Format (likeness-calibration/1, JSON): `recognisers`, each with `points`
(`similarity` and `one_in`, both rising), `source`, maybe `bound` (true: one_in is the least it can be).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FORMAT = "likeness-calibration/1"
#: Name of the user's own file, in a folder of identities.
FILE = "calibration.json"
_SHIPPED = Path(__file__).with_name("calibration.json")
_LARGEST = 1 << 24


@dataclass(frozen=True)
class Curve:
    """One recogniser. points: (similarity, one stranger in so many), both rising.

    bound: the numbers are the least they can be. source: who says so.
    """

    points: tuple[tuple[float, float], ...]
    source: str
    bound: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", tuple((float(s), float(n)) for s, n in self.points))
        if not self.points:
            raise ValueError("it has no points")
        for similarity, one_in in self.points:
            if not -1 <= similarity <= 1 or not 1 <= one_in < math.inf:
                raise ValueError(f"its point {similarity:g}, 1 in {one_in:g} is out of range")
        for (s, n), (more, rarer) in zip(self.points, self.points[1:], strict=False):
            if not s < more or not n <= rarer:
                raise ValueError("its points do not rise")

    def one_in(self, similarity: float) -> float:
        """Of so many strangers one reaches this similarity: between points on a straight line of logarithms,
        outside that of the nearest point, which is then a bound (see told)."""
        below = [point for point in self.points if point[0] <= similarity]
        above = [point for point in self.points if point[0] > similarity]
        if not below or not above:
            return (below or above[:1])[-1][1]
        (s, n), (more, rarer) = below[-1], above[0]
        return float(n * (rarer / n) ** ((similarity - s) / (more - s)))

    def similarity(self, one_in: float) -> float:
        """The least similarity on the curve that at most one stranger in so many reaches.

        Raises ValueError when the curve ends before.
        """
        if one_in > self.points[-1][1]:
            raise ValueError(f"it ends at 1 in {self.points[-1][1]:.0f}, similarity {self.points[-1][0]:g}")
        place = next(n for n, point in enumerate(self.points) if point[1] >= one_in)
        if place == 0:
            return self.points[0][0]
        (s, n), (more, rarer) = self.points[place - 1], self.points[place]
        return s + (more - s) * math.log(one_in / n) / math.log(rarer / n)

    def told(self, similarity: float) -> str:
        """`about 3400`, `at least 125`, `fewer than 125`: of how many strangers one reaches it.

        Below a bound nothing is known.
        """
        (lowest, first), (highest, _) = self.points[0], self.points[-1]
        if similarity < lowest:
            return f"fewer than {first:.0f}" if not self.bound else f"unknown below {lowest:g}"
        least = self.bound or similarity >= highest
        return f"{'at least' if least else 'about'} {self.one_in(similarity):.0f}"


#: Recogniser -> its curve.
Calibration = Mapping[str, Curve]
#: What is told of a recogniser without a curve.
UNKNOWN = "not calibrated"


def told(similarity: float, recogniser: str, calibration: Calibration | None = None) -> str:
    """Of how many strangers one reaches this similarity, in a few words; UNKNOWN where nobody measured."""
    curve = (shipped() if calibration is None else calibration).get(recogniser)
    return UNKNOWN if curve is None else curve.told(similarity)


def explained(recogniser: str, calibration: Calibration | None = None) -> str:
    """The sentence beside such numbers: where they are from, or how to get them."""
    curve = (shipped() if calibration is None else calibration).get(recogniser)
    if curve is None:
        return (
            f"Nobody has published for {recogniser} how many strangers reach a similarity; measure it on "
            "folders of people: python -m tools.calibrate DIR."
        )
    return f"So many strangers are looked at until one is so alike. Source: {curve.source}"


@cache
def shipped() -> Calibration:
    """The curves that come with the pack."""
    return parse(json.loads(_SHIPPED.read_text(encoding="utf-8")), _SHIPPED.name)


def load(path: str | Path | None) -> Calibration:
    """The shipped curves and, over them, those of a file; None: there is none.

    Raises ValueError naming a file that is something else or damaged.
    """
    if path is None:
        return shipped()
    path = Path(path)
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"{path.name} is no calibration file: it has {path.stat().st_size:,} bytes.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is damaged: {error}. Run tools.calibrate again.") from error
    return {**shipped(), **parse(content, path.name)}


def parse(content: Any, name: str) -> Calibration:
    """Curves from a file's content. Raises ValueError naming the file and what is wrong."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{name} is no calibration file ({FORMAT}). tools.calibrate writes one.")
    curves = {}
    recognisers = content.get("recognisers")
    for recogniser, about in recognisers.items() if isinstance(recognisers, dict) else ():
        try:
            points = tuple((point["similarity"], point["one_in"]) for point in about["points"])
            curves[recogniser] = Curve(points, str(about["source"]), bool(about.get("bound", False)))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(
                f"{name} can't be used: the curve of {recogniser} is wrong ({error}). Run "
                "tools.calibrate again."
            ) from error
    return curves
