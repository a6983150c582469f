"""Orders of faces, and the places in them that a text names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from ..choices.faces import OVERLAP, SIMILAR
from ..values import Face, Faces

Range = tuple[int, int]
Item = TypeVar("Item")


def _centre(face: Face, axis: int) -> float:
    return float(face.box[axis] + face.box[axis + 2]) / 2


def _largest(faces: Sequence[Face]) -> list[Face]:
    # Of two equally large faces the later one, as the reference code takes it (spec 0.2.3).
    return sorted(faces, key=lambda face: face.area)[::-1]


ORDERS: dict[str, Callable[[Sequence[Face]], list[Face]]] = {
    "largest": _largest,
    "highest score": lambda faces: sorted(faces, key=lambda face: -face.score),
    "left to right": lambda faces: sorted(faces, key=lambda face: _centre(face, 0)),
    "right to left": lambda faces: sorted(faces, key=lambda face: -_centre(face, 0)),
    "top to bottom": lambda faces: sorted(faces, key=lambda face: _centre(face, 1)),
    "index list": list,
}

#: With those that need more than the faces; selection.py knows them.
BY = (*ORDERS, SIMILAR, OVERLAP)

_PART = re.compile(r"\s*(-?\d{1,18})(?:\s*-\s*(-?\d{1,18}))?\s*")  # Python reads no number of 5000 digits


def select(faces: Faces, by: str = "largest", indices: str = "0") -> Faces:
    """In each picture, put the faces in the order `by` and keep the places named in `indices`.

    indices: "0", "0,2", "1-3" (both ends count), "-1" for the last, "all" or nothing for every
    face. A place that a picture does not have is left out there. "index list" keeps the order of
    `faces`. Raises ValueError for another `by` or text that is no list of places.
    """
    if by not in ORDERS:
        raise ValueError(f"Faces can't be ordered by {by!r}. There are: {', '.join(ORDERS)}.")
    ranges = parse_indices(indices)
    return faces.with_faces([pick(ORDERS[by](found), ranges) for found in faces.faces])


def parse_indices(text: str) -> list[Range] | None:
    """Ranges with both ends included, or None for all. Raises ValueError naming the part."""
    if text.strip().lower() in ("", "all"):
        return None
    ranges = []
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(
                f"indices: {part.strip()!r} is no place in {text!r}. Write numbers and ranges with commas "
                'between them, such as "0", "0,2", "1-3" or "-1" for the last; "all" keeps every face.'
            )
        first, last = int(match[1]), int(match[2] if match[2] is not None else match[1])
        if first > last >= 0:
            raise ValueError(f"indices: the range {part.strip()!r} runs backwards; write {last}-{first}.")
        ranges.append((first, last))
    return ranges


def pick(ordered: Sequence[Item], ranges: list[Range] | None) -> list[Item]:
    """Those at the places that `parse_indices` read, in the order of the text, each once."""
    if ranges is None:
        return list(ordered)
    n = len(ordered)
    places: dict[int, None] = {}
    for first, last in ranges:
        start, end = (place + n if place < 0 else place for place in (first, last))
        places.update(dict.fromkeys(range(max(0, start), min(n, end + 1))))
    return [ordered[place] for place in places]
