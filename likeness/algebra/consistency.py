"""Whether pictures show one person: how alike their faces are to each other, whoever it is."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from ..identity import cosines
from ..values import Face, Identity


def consistency(faces: Sequence[Face | None], recogniser: str) -> float | None:
    """The mean cosine over all pairs of pictures; None with fewer than two faces.

    faces: the face that counts of each picture, embedded by `recogniser`, or None. Unlike a similarity it
    asks for nobody, so it tells of a story whose person has no photo. Raises ValueError for vectors of zeros.
    """
    vectors = [face.embeddings[recogniser] for face in faces if face is not None]
    if len(vectors) < 2:
        return None
    pairs = [
        cosine
        for place, vector in enumerate(vectors[:-1])
        for cosine in cosines("a face", Identity(vector[None], recogniser), vectors[place + 1 :])
    ]
    return statistics.fmean(pairs)


def consistency_line(faces: Sequence[Face | None], recogniser: str) -> str:
    """The same in words, with how many pictures it is about."""
    count, mean = sum(face is not None for face in faces), consistency(faces, recogniser)
    if mean is None:
        return f"consistency: {count} of {len(faces)} pictures with a face, and it takes two"
    return f"consistency {mean:.3f} (mean cosine of all pairs of {count} pictures' faces)"
