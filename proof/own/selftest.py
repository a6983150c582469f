"""Does every measure measure? Questions whose answers are known, asked of the user's own photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from likeness.faces.labels import NAMES

from ..report.measures import Estimate, cosine, estimate
from ..report.selftest import Answer
from .judges import Judges, Seen
from .measures import SEEN, copied, expression_error
from .people import Person, Picture, photo
from .shots import Known

#: People at most: each photo is looked at in several forms.
_PEOPLE = 8
#: Spread of blurs, in parts of the face's width.
_LITTLE, _MUCH = 0.01, 0.04


def asked(judges: Judges, people: Sequence[Person], everybody: Sequence[Known]) -> list[Answer]:
    """On the first truth of each of the first people."""
    some = list(zip(people, everybody, strict=True))[:_PEOPLE]
    photos = [photo(person.truths[0]) for person, _ in some]
    own = [one.seen[0] for _, one in some]
    wide = [max(float(seen.boxes[0, 2] - seen.boxes[0, 0]), 1.0) for seen in own]
    again = [judges.look(picture) for picture in photos]
    mirrored = [judges.look(np.ascontiguousarray(picture[:, ::-1])) for picture in photos]
    little, much = (
        [judges.look(_blurred(picture, part * w)) for picture, w in zip(photos, wide, strict=True)]
        for part in (_LITTLE, _MUCH)
    )
    found = [
        answer
        for name in judges.names
        for answer in (
            *_likeness(name, own, again, mirrored, little, much),
            *_copies(name, [one for _, one in some]),
        )
    ]
    return [
        *found,
        *_counts(judges, photos),
        *_expressions(own, again, mirrored),
        *_parts(judges, own, mirrored),
        *_sharp(own, again, mirrored, little, much),
    ]


def _likeness(
    name: str,
    own: Sequence[Seen],
    again: Sequence[Seen],
    mirrored: Sequence[Seen],
    little: Sequence[Seen],
    much: Sequence[Seen],
) -> list[Answer]:
    def alike(others: Sequence[Seen]) -> Estimate:
        values = [_cosine(name, one, other) for one, other in zip(own, others, strict=True)]
        return estimate(np.array(values), np.arange(len(values)))

    same, back, faint, lost = (alike(some) for some in (again, mirrored, little, much))
    stranger = alike([*own[1:], own[0]])
    return [
        Answer(f"identical:{name}", "the same photo is wholly alike: 1", _said(same), same.mean > 0.9999),
        Answer(
            f"mirrored:{name}",
            "a mirrored face is more like itself than another person is",
            f"{_said(back)} against {_said(stranger)}",
            back.mean > stranger.mean,
        ),
        Answer(
            f"blurred:{name}",
            f"the more blurred, the less alike ({_LITTLE:g} and {_MUCH:g} of the face's width)",
            f"{_said(faint)}, then {_said(lost)}",
            same.mean >= faint.mean > lost.mean,
        ),
        Answer(
            f"other:{name}",
            "another person is less alike than a slightly blurred photo",
            _said(stranger),
            stranger.mean < faint.mean,
        ),
    ]


def _cosine(name: str, one: Seen, other: Seen) -> float:
    """Of the largest faces; 0 without one, as everywhere."""
    if not len(other):
        return 0.0
    return float(cosine(one.vectors[name][0], other.vectors[name][0]))


def _copies(name: str, everybody: Sequence[Known]) -> list[Answer]:
    def mean(pick: Callable[[Known], np.ndarray]) -> Estimate:
        values = [copied(pick(one), one.truths[name][:1], one.reference[name]) for one in everybody]
        return estimate(np.array(values), np.arange(len(values)))

    pasted, true = mean(lambda one: one.reference[name]), mean(lambda one: one.truths[name][0])
    return [
        Answer(
            f"pasted:{name}",
            "the reference handed back: copy-paste 1",
            _said(pasted),
            abs(pasted.mean - 1) < 1e-6,
        ),
        Answer(
            f"truth:{name}", "the truth handed back: copy-paste -1", _said(true), abs(true.mean + 1) < 1e-6
        ),
    ]


def _counts(judges: Judges, photos: Sequence[Picture]) -> list[Answer]:
    side = min(photo.shape[0] for photo in photos)
    same = [_high(picture, side) for picture in photos]
    pairs = [
        np.concatenate([one, other], axis=1) for one, other in zip(same, [*same[1:], same[0]], strict=True)
    ]
    double = [judges.look(picture).count for picture in pairs]
    none = judges.look(np.full((256, 256, 3), 128, np.uint8)).count
    grown = sum(count >= 2 for count in double)
    return [
        Answer("faces:none", "a grey picture shows no face", str(none), none == 0),
        Answer(
            "faces:two",
            "two photos side by side show two faces or more: in 3 of 4 at least",
            f"{grown} of {len(pairs)}",
            grown >= 0.75 * len(pairs),
        ),
    ]


def _expressions(own: Sequence[Seen], again: Sequence[Seen], mirrored: Sequence[Seen]) -> list[Answer]:
    """An error is what lies outside of a face's own proportions, sides taken together."""

    def errors(others: Sequence[Seen]) -> Estimate:
        values = [
            expression_error(other.ratios[0], _around(one)) if len(other) else np.nan
            for one, other in zip(own, others, strict=True)
        ]
        return estimate(np.array(values), np.arange(len(values)))

    same, back, other = errors(again), errors(mirrored), errors([*own[1:], own[0]])
    return [
        Answer(
            "expression:identical", "the same photo has no expression error: 0", _said(same), same.mean < 1e-6
        ),
        Answer(
            "expression:mirrored",
            "a mirrored face has less of it than another person's",
            f"{_said(back)} against {_said(other)}",
            back.mean < other.mean,
        ),
    ]


def _around(seen: Seen) -> dict[str, tuple[float, float]]:
    from likeness.expressions.distance import RATIO_NAMES

    return {n: (float(r.min()), float(r.max())) for n, r in zip(RATIO_NAMES, seen.ratios[0], strict=True)}


def _parts(judges: Judges, own: Sequence[Seen], mirrored: Sequence[Seen]) -> list[Answer]:
    question = "the parser sees skin and nose in photos, mirrored or not: in 3 of 4 at least"
    if judges.parser_file is None:
        return [Answer("attributes", question, "no face parser is there", None)]
    looked = [seen for seen in (*own, *mirrored) if len(seen)]
    right = sum(
        all(seen.shares[0, NAMES.index(part)] >= SEEN for part in ("skin", "nose")) for seen in looked
    )
    return [Answer("attributes", question, f"{right} of {len(looked)}", right >= 0.75 * len(looked))]


def _sharp(
    own: Sequence[Seen],
    again: Sequence[Seen],
    mirrored: Sequence[Seen],
    little: Sequence[Seen],
    much: Sequence[Seen],
) -> list[Answer]:
    def part(others: Sequence[Seen]) -> Estimate:
        values = [
            other.sharpness[0] / max(float(one.sharpness[0]), 1e-9) if len(other) else np.nan
            for one, other in zip(own, others, strict=True)
        ]
        return estimate(np.array(values), np.arange(len(values)))

    same, back, faint, lost = (part(some) for some in (again, mirrored, little, much))
    return [
        Answer(
            "sharpness:identical", "the same photo is as sharp: 1", _said(same), abs(same.mean - 1) < 1e-6
        ),
        Answer(
            "sharpness:mirrored",
            "a mirrored one as well: within 0.15",
            _said(back),
            abs(back.mean - 1) < 0.15,
        ),
        Answer(
            "sharpness:blurred",
            "the more blurred, the less sharp",
            f"{_said(faint)}, then {_said(lost)}",
            # What is so blurred that no face is found has no sharpness: NaN answers nothing.
            faint.mean < 1 and (lost.count == 0 or lost.mean < faint.mean),
        ),
    ]


def _blurred(picture: Picture, spread: float) -> Picture:
    return cv2.GaussianBlur(picture, (0, 0), max(spread, 0.3)).astype(np.uint8)


def _high(picture: Picture, side: int) -> Picture:
    wide = max(1, round(picture.shape[1] * side / picture.shape[0]))
    return np.asarray(cv2.resize(picture, (wide, side), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _said(one: Estimate) -> str:
    return f"{one.mean:.3f} ({one.low:.3f} to {one.high:.3f})"
