"""`world show`: a contact sheet, a row for each person, each cell another day; then groups and figures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .draw import draw
from .people import Person
from .scene import Scene, figure, full, group


def add_to(commands: Any) -> None:
    """The command for argparse's subparsers."""
    command = commands.add_parser("show", help="draw a contact sheet of people")
    command.add_argument("file", type=Path, help="PNG to write")
    command.add_argument("--people", type=int, default=6, help="rows (default: %(default)s)")
    command.add_argument("--days", type=int, default=8, help="pictures of each (default: %(default)s)")
    command.add_argument(
        "--size", type=int, default=128, help="pixels of a picture's side (default: %(default)s)"
    )
    command.add_argument("--seed", type=int, default=0, help="of the first person (default: %(default)s)")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    if options.people < 1 or options.days < 1:
        raise ValueError(
            "A contact sheet needs at least one person (--people) and one picture of each (--days)."
        )
    if options.seed < 0:
        raise ValueError("--seed can't be negative.")
    save(options.file, sheet(options.people, options.days, options.size, options.seed))


def sheet(people: int, days: int, size: int, seed: int = 0) -> NDArray[np.uint8]:
    """uint8 [H, W, 3] RGB."""
    rows = [
        [draw(figure(seed + 1000 * n + day, Person.of(seed + n)), size).picture for day in range(days)]
        for n in range(people)
    ]
    rows.append([draw(_together(seed, n), size).picture for n in range(days)])
    return np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)


def _together(seed: int, number: int) -> Scene:
    """In turn two side by side, two whole figures, three side by side, two whole figures."""
    figures = [figure(seed + 7000 + 10 * number + n, Person.of(seed + n + number)) for n in range(3)]
    if number % 2:
        return Scene((full(figures[0], -0.22), full(figures[1], 0.22)))
    return group(figures[: 3 if number % 4 else 2])


def save(file: Path, picture: NDArray[np.uint8]) -> None:
    """As PNG. Raises ValueError when it can't be written."""
    if file.suffix.lower() != ".png" or not file.parent.is_dir():
        raise ValueError(f"{file} can't be written: name a .png in a folder that is there.")
    written, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert written
    file.write_bytes(encoded.tobytes())
