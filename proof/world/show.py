"""A contact sheet: a row for each person, each cell another day."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .draw import draw
from .people import Person
from .scene import Scene, figure, full, group


def sheet(people: int, days: int, size: int, seed: int = 0) -> NDArray[np.uint8]:
    """uint8 [H, W, 3] RGB. The last row shows groups and whole figures."""
    rows = [
        [draw(figure(seed + 1000 * n + day, Person.of(seed + n)), size).picture for day in range(days)]
        for n in range(people)
    ]
    last = [draw(_together(seed, n), size).picture for n in range(days)]
    return np.concatenate([np.concatenate(row, axis=1) for row in [*rows, last]], axis=0)


def _together(seed: int, number: int) -> Scene:
    figures = [figure(seed + 7000 + 10 * number + n, Person.of(seed + n + number)) for n in range(3)]
    if number % 2 == 0:
        return group(figures[: 2 + number // 2 % 2])
    return Scene((full(figures[0], -0.22), full(figures[1], 0.22)))


def save(file: Path, picture: NDArray[np.uint8]) -> None:
    """As PNG. Raises ValueError when it can't be written."""
    if not cv2.imwrite(str(file), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)):
        raise ValueError(f"{file} could not be written. Does its folder exist, and does it end in .png?")
