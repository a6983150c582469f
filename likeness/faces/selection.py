"""Which faces of each picture to go on with: who they show, where they are, and in what order."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from ..choices.faces import MIN_SIMILARITY, OVERLAP, SIMILAR
from ..identity import cosines
from ..values import Faces, Identity, recogniser_text
from .choice import Candidate, Choice, likeness, told
from .choose import BY, ORDERS, Range, parse_indices, pick
from .embed import embed
from .mask_overlap import Overlap, mask_overlaps
from .models import FaceNetworks, first_there
from .track import follow

log = logging.getLogger(__name__)

_NO_FACE = Choice((), lack="there is no face to choose from", remedy="look at Detect Faces")


@dataclass(frozen=True)
class Wanted:
    """What makes a face count before places are counted. None asks for nothing.

    reference: whom it must be like, at least min_similarity (cosine with the identity's mean). models:
    describe the faces that have no vector of the reference's recogniser. mask: a MASK it must lie in.
    """

    reference: Identity | None = None
    models: FaceNetworks | None = None
    mask: torch.Tensor | None = None
    min_similarity: float = MIN_SIMILARITY


@dataclass(frozen=True)
class Selection:
    """faces: those chosen, pictures without one included. report: a line for each picture.

    advice: why there are pictures without and what to do, for the message of the policy. counting and chosen:
    in each picture the faces that count, in the order of the input, and those chosen, by their places there.
    """

    faces: Faces
    report: str
    advice: str
    counting: tuple[tuple[int, ...], ...] = ()
    chosen: tuple[tuple[int, ...], ...] = ()


def select_faces(
    faces: Faces,
    by: str = "largest",
    indices: str = "0",
    wanted: Wanted | None = None,
    track: bool = False,
) -> Selection:
    """In each picture, put the faces that count in the order `by` and keep the places named in `indices`.

    Without `wanted` every face counts; by and indices as in choose.select, and `most similar` and
    `largest mask overlap` (most pixels), which need a reference and a mask. Faces come out with the vectors
    that were computed. track: all of that is asked in the first picture where it finds somebody; in the
    others the same people are followed, see track.follow. Raises ValueError, MissingModel.
    """
    wanted = wanted or Wanted()
    _check(by, wanted)
    ranges = parse_indices(indices)
    recogniser = wanted.reference.recogniser if wanted.reference else _for_tracking(faces, wanted, track)
    pictures = _candidates(faces, wanted, recogniser, everybody=track)
    choices = [
        _choose(found, by, ranges, wanted, indices) if all_found else _NO_FACE
        for all_found, found in zip(faces.faces, pictures, strict=True)
    ]
    if track:
        choices = _followed(pictures, choices, recogniser, wanted.min_similarity)
    chosen = faces.with_faces([[candidate.face for candidate in choice.chosen] for choice in choices])
    lines = [
        f"picture {index} ({len(found)} face{'' if len(found) == 1 else 's'}): {told(choice)}"
        for index, found, choice in zip(faces.indices, faces.faces, choices, strict=True)
    ]
    advice = next((choice.advice for choice in choices if not choice.chosen), _NO_FACE.advice)
    counting = tuple(tuple(c.place for c in _alike(found, wanted)) for found in pictures)
    kept = tuple(tuple(candidate.place for candidate in choice.chosen) for choice in choices)
    return Selection(chosen, "\n".join(lines), advice, counting, kept)


def _check(by: str, wanted: Wanted) -> None:
    if by not in BY:
        raise ValueError(f"Faces can't be ordered by {by!r}. There are: {', '.join(BY)}.")
    if by == SIMILAR and wanted.reference is None:
        raise ValueError(
            "by is most similar, but reference is not connected: connect the identity of the person to look "
            "for, from Embed Faces or Load Identity."
        )
    if by == OVERLAP and wanted.mask is None:
        raise ValueError(
            "by is largest mask overlap, but mask is not connected: connect a mask of the pictures."
        )


def _for_tracking(faces: Faces, wanted: Wanted, track: bool) -> str | None:
    """The recogniser to follow people by when no reference names one, or None to go by boxes."""
    if not track:
        return None
    carried = [set(face.embeddings) for found in faces.faces for face in found]
    common = sorted(set.intersection(*carried)) if carried else []
    if common:
        return common[0]
    models = wanted.models
    if models is None or not models.recognisers:
        log.info("The faces carry no vectors and no recogniser is connected: people are followed by boxes.")
        return None
    # When all are missing, the message about the first says how to get it.
    return first_there(models, models.recognisers) or models.recognisers[0]


def _candidates(
    faces: Faces, wanted: Wanted, recogniser: str | None, everybody: bool
) -> list[list[Candidate]]:
    """The faces that lie in the mask, or everybody, with their vectors of `recogniser` and similarities."""
    overlaps: list[list[Overlap | None]] = [[None] * len(found) for found in faces.faces]
    if wanted.mask is not None:
        overlaps = [list(own) for own in mask_overlaps(faces, wanted.mask)]
    places = [
        [place for place, overlap in enumerate(own) if everybody or overlap is None or overlap.counts]
        for own in overlaps
    ]
    considered = faces.with_faces(
        [[found[place] for place in own] for found, own in zip(faces.faces, places, strict=True)]
    )
    if recogniser is not None:
        considered = _described(considered, wanted, recogniser)
    pictures = [
        [Candidate(p, face, own[p]) for p, face in zip(kept, found, strict=True)]
        for kept, found, own in zip(places, considered.faces, overlaps, strict=True)
    ]
    if wanted.reference is None:
        return pictures
    name = wanted.reference.recogniser
    vectors = [candidate.face.embeddings[name] for own in pictures for candidate in own]
    each = iter(cosines("reference", wanted.reference, vectors))
    return [[replace(candidate, similarity=next(each)) for candidate in own] for own in pictures]


def _described(faces: Faces, wanted: Wanted, recogniser: str) -> Faces:
    without = sum(recogniser not in face.embeddings for found in faces.faces for face in found)
    if wanted.models is not None:
        return embed(wanted.models, faces, recogniser)
    if without:
        raise ValueError(
            f"reference was made with {recogniser_text(recogniser)}, but {without} of the faces carry no "
            "vector of it: connect face_models that have this recogniser."
        )
    return faces


def _inside(found: Sequence[Candidate]) -> list[Candidate]:
    return [c for c in found if c.overlap is None or c.overlap.counts]


def _alike(found: Sequence[Candidate], wanted: Wanted) -> list[Candidate]:
    """The faces that count."""
    return [c for c in _inside(found) if c.similarity is None or c.similarity >= wanted.min_similarity]


def _choose(
    found: Sequence[Candidate], by: str, ranges: list[Range] | None, wanted: Wanted, indices: str
) -> Choice:
    inside, alike = _inside(found), _alike(found, wanted)
    chosen = tuple(pick(_ordered(alike, by), ranges))
    others = tuple(c for c in inside if c not in chosen)
    if chosen:
        return Choice(chosen, others)
    if wanted.mask is not None and not inside:
        return Choice((), others, "no face there lies in the mask", "cover the middle of one, or half of it")
    if inside and not alike:
        best = max(inside, key=likeness)
        reached = f"reaches {likeness(best):.3f} of {wanted.min_similarity:g}"
        return Choice(
            (), others, f"the most similar one there, face {best.place}, {reached}", "lower min_similarity"
        )
    return Choice((), others, f"the places {indices!r} pick none there", "choose other indices")


def _followed(
    pictures: Sequence[Sequence[Candidate]],
    choices: Sequence[Choice],
    recogniser: str | None,
    min_similarity: float,
) -> list[Choice]:
    """The first choice that found somebody, and the same people in the other pictures."""
    start = next((index for index, choice in enumerate(choices) if choice.chosen), None)
    if start is None:
        return list(choices)
    faces = [[candidate.face for candidate in found] for found in pictures]
    places = [candidate.place for candidate in choices[start].chosen]
    again = follow(faces, start, places, recogniser, min_similarity)
    remedy = (
        "connect face_models, to know people by their faces" if recogniser is None else "lower min_similarity"
    )
    followed = []
    for found, matches in zip(pictures, again, strict=True):
        if not found:
            followed.append(_NO_FACE)
            continue
        chosen = tuple(replace(found[match.place], followed=match.score) for match in matches)
        others = tuple(found[p] for p in range(len(found)) if p not in [match.place for match in matches])
        lack = "" if chosen else "nobody who is followed was found again there"
        followed.append(Choice(chosen, others, lack, remedy))
    followed[start] = choices[start]
    return followed


def _ordered(candidates: Sequence[Candidate], by: str) -> list[Candidate]:
    if by == SIMILAR:
        return sorted(candidates, key=likeness, reverse=True)
    if by == OVERLAP:
        return sorted(candidates, key=lambda c: -(c.overlap.pixels if c.overlap else 0.0))
    of = {id(c.face): c for c in candidates}
    return [of[id(face)] for face in ORDERS[by]([c.face for c in candidates])]
