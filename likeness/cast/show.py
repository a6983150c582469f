"""An assignment for people to read: a table, a picture with names, faces and masks of each person."""

from __future__ import annotations

import torch

from ..algebra.calibration import Calibration, explained, told
from ..algebra.sheet import Column, Sheet
from ..faces.draw import draw_faces
from ..faces.masks import face_masks
from ..values import Faces, recogniser_text
from .assigning import Assignment, Found, Seats

_COLUMNS = (
    *(Column("picture", 7), Column("person", 16, left=True), Column("face", 4), Column("similarity", 10)),
    *(Column("margin", 6), Column("one stranger in", 19), Column("", left=True)),
)


def faces_of(faces: Faces, assigned: Assignment, person: int) -> Faces:
    """The faces of one member, by their place in the cast: one or none in each picture."""
    return faces.with_faces(
        [
            [found[place]] if (place := seats.people[person].face) is not None else []
            for found, seats in zip(faces.faces, assigned.pictures, strict=True)
        ]
    )


def masks_of(
    faces: Faces, assigned: Assignment, region: str = "box", grow: float = 0, feather: float = 0
) -> list[torch.Tensor]:
    """A MASK [B, H, W] for each member, as face_masks; empty where they are missing."""
    return [
        face_masks(faces_of(faces, assigned, n), region, grow, feather) for n in range(len(assigned.names))
    ]


def draw_people(faces: Faces, assigned: Assignment) -> torch.Tensor:
    """A copy of the pictures [B, H, W, C] with name and similarity at each face; strangers are nobody."""
    labels = []
    for found, seats in zip(faces.faces, assigned.pictures, strict=True):
        own = ["nobody"] * len(found)
        for n, person in enumerate(seats.people):
            if person.face is not None:
                own[person.face] = f"{_ascii(assigned.names[n], n)} {person.similarity:.2f}"
        labels.append(own)
    return draw_faces(faces.images, Faces(faces.images, faces.faces), labels)


def _ascii(name: str, place: int) -> str:
    """OpenCV draws no other letters: then the place in the cast stands for the name."""
    return name if name.isascii() else f"#{place}"


def write_people(faces: Faces, assigned: Assignment, calibration: Calibration | None = None) -> str:
    """Who was found where, picture by picture, as text. calibration: as in sheet_of_people."""
    return sheet_of_people(faces, assigned, calibration).text()


def sheet_of_people(faces: Faces, assigned: Assignment, calibration: Calibration | None = None) -> Sheet:
    """Who was found where, picture by picture, with similarity, margin and how rare a stranger so alike is.

    calibration: None is the shipped one.
    """
    people = len(assigned.names) * len(assigned.pictures)
    found = f"{assigned.found} of {people} people found"
    lines = (
        f"{found}, {assigned.missing} missing, {assigned.strangers} strangers",
        f"recogniser {recogniser_text(assigned.recogniser)}; at_least {assigned.at_least:.3f} (similarity)",
        f"One stranger in: {explained(assigned.recogniser, calibration)}",
        "Margin: to the next best answer, another face for the person or another person for the face.",
    )
    rows: list[tuple[str, ...]] = []
    for index, seats in zip(faces.indices, assigned.pictures, strict=True):
        for n, person in enumerate(seats.people):
            rows.append(_row(index, assigned.names[n], person, assigned.recogniser, calibration))
        rows += [_stranger(index, face, seats, assigned) for face in seats.strangers]
    return Sheet(lines, _COLUMNS, tuple(rows))


def _row(
    index: int, name: str, found: Found, recogniser: str, calibration: Calibration | None
) -> tuple[str, ...]:
    if found.face is None:
        best = "no face there" if found.similarity is None else f"the nearest face has {found.similarity:.3f}"
        return f"{index}", name, f"missing: {best}"
    similarity = found.similarity or 0.0
    margin = "-" if found.margin is None else f"{found.margin:.3f}"
    rare = told(similarity, recogniser, calibration)
    how = "followed" if found.followed else "" if found.recognised else "below at_least"
    return f"{index}", name, f"{found.face}", f"{similarity:.3f}", margin, rare, how


def _stranger(index: int, face: int, seats: Seats, assigned: Assignment) -> tuple[str, ...]:
    best = int(seats.similarities[:, face].argmax())
    most = f"most like {assigned.names[best]}, {float(seats.similarities[best, face]):.3f}"
    return f"{index}", "nobody", f"{face}", most


def require_everybody(faces: Faces, assigned: Assignment) -> None:
    """Raises ValueError naming the first picture where somebody is missing, and who."""
    for index, found, seats in zip(faces.indices, faces.faces, assigned.pictures, strict=True):
        if not seats.missing:
            continue
        missing = ", ".join(assigned.names[n] for n in seats.missing)
        people, shown = len(assigned.names), len(found)
        if shown < people:
            raise ValueError(
                f"Picture {index} (counted from 0) shows {shown} face{'s' * (shown != 1)} for {people} "
                f"people of the cast: {missing} can't be there. Use another picture or a smaller cast, lower "
                "min_score in Detect Faces, or set if_missing to go on."
            )
        raise ValueError(
            f"Picture {index} (counted from 0): no face there is {missing}, by at_least (a similarity of "
            f"{assigned.at_least:.3f}). Lower at_least, use another picture, or set if_missing to go on."
        )
