"""The people of a cast through the frames of a clip."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from ..faces.track import follow
from ..values import Faces
from .assigning import Assignment, Seats, assign, seats
from .value import Cast


def assign_tracked(
    faces: Faces, cast: Cast, recogniser: str, at_least: float, hard_places: bool = False
) -> Assignment:
    """As assign, frame by frame; then people who are missing in a frame are followed from others.

    Somebody is followed both ways from the frame where they are most like themselves, by how like the
    frame's faces are to theirs so far (at least `at_least`, see faces.track): a turned or blurred face
    that has left the photos behind may still be near the last frames. A face that was recognised stays whose
    it is; of two people who come upon one face the one followed with the better score has it.
    """
    assigned = assign(faces, cast, recogniser, at_least, hard_places)
    starts: dict[int, list[int]] = defaultdict(list)
    for person in range(len(cast.members)):
        known = [
            (one.similarity or 0.0, -frame)
            for frame, one in enumerate(row.people[person] for row in assigned.pictures)
            if one.recognised
        ]
        if known:
            starts[-max(known)[1]].append(person)
    offers: list[list[tuple[float, int, int]]] = [[] for _ in assigned.pictures]
    for start, people in starts.items():
        places = [assigned.pictures[start].people[person].face or 0 for person in people]
        for person, place in zip(people, places, strict=True):
            # One at a time: who is recognised in a frame is settled, so nobody stands in another's way.
            for frame, matches in enumerate(follow(faces.faces, start, [place], recogniser, at_least)):
                offers[frame] += [(match.score, person, match.place) for match in matches]
    pictures = tuple(_with(row, offer) for row, offer in zip(assigned.pictures, offers, strict=True))
    return replace(assigned, pictures=pictures)


def _with(row: Seats, offers: list[tuple[float, int, int]]) -> Seats:
    """A frame with those followed into it, where they and the face are still free."""
    given = {n: found.face for n, found in enumerate(row.people) if found.face is not None}
    recognised, followed = set(given), set[int]()
    for _, person, face in sorted(offers, key=lambda offer: (-offer[0], offer[1])):
        if person not in given and face not in given.values():
            given[person] = face
            followed.add(person)
    return seats(row.fits, given, recognised, followed) if followed else row
