"""Pictures scored: how like a person the face in each is, in the eyes of one recogniser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..choices.people import OTHER, WHICH
from ..faces.choose import select
from ..faces.detect import detect
from ..faces.embed import embed
from ..faces.models import FaceNetworks
from ..faces.policy import ERROR, PASS_THROUGH, apply_policy
from ..identity import cosines
from ..values import Face, Faces, Identity
from .bar import least_similarity
from .calibration import Calibration
from .copy_paste import Axes, axes_of
from .judge import Judge, appoint, photographed

#: Which face of a picture is compared.
MOST_SIMILAR, LARGEST = WHICH
#: What a batch without a single face scores: the lowest cosine there is.
NOBODY = -1.0


@dataclass(frozen=True)
class Scores:
    """judge: who scored. found: the faces of every picture of the batch.

    compared and similarities hold for each picture the face that counts and its cosine with the
    judge's target, or None where there is no face. kept: places in the batch, best first.
    """

    judge: Judge
    found: Faces
    compared: tuple[Face | None, ...]
    similarities: tuple[float | None, ...]
    kept: tuple[int, ...]
    #: The bar, if one was asked for.
    at_least: float | None = None
    #: With a second photo of the person: where each compared face lies between that and the target.
    axes: tuple[Axes | None, ...] = ()

    @property
    def rejected(self) -> tuple[int, ...]:
        """Places in the batch of pictures below the bar, those without a face too; without a bar none."""
        bar = self.at_least
        if bar is None:
            return ()
        return tuple(n for n, cosine in enumerate(self.similarities) if cosine is None or cosine < bar)

    @property
    def passed(self) -> bool:
        """Whether any picture reaches the bar; without a bar, whether any has a face."""
        if self.at_least is None:
            return any(cosine is not None for cosine in self.similarities)
        return len(self.rejected) < len(self.similarities)

    @property
    def similarity(self) -> float:
        """The best, or NOBODY."""
        return max((cosine for cosine in self.similarities if cosine is not None), default=NOBODY)


def score_faces(
    models: FaceNetworks,
    images: torch.Tensor,
    identity: Identity,
    reference: torch.Tensor | None = None,
    recogniser: str = OTHER,
    keep: int = 1,
    which: str = MOST_SIMILAR,
    if_no_face: str = ERROR,
    at_least: str = "",
    truth: torch.Tensor | None = None,
    calibration: Calibration | None = None,
) -> Scores:
    """Score the pictures of an IMAGE [B, H, W, C] and keep the best.

    reference, recogniser: as in judge.appoint. Pictures without a face stop everything (error), can't be
    kept (skip), or come behind all others (pass through). Of equals the earlier is the better.
    at_least: a bar, as in bar.least_similarity, for `passed` and `rejected`; what is kept does not ask for
    it. truth: an IMAGE of the person that nobody drew from, for copy_paste. calibration: None is the shipped
    one. Raises ValueError, MissingModel.
    """
    if which not in WHICH:
        raise ValueError(f"face must be one of {', '.join(WHICH)}, not {which!r}.")
    if keep < 1:
        raise ValueError(f"keep must be 1 or more, not {keep}.")
    judge = appoint(models, identity, reference, recogniser)
    bar = least_similarity(at_least, judge.recogniser, calibration)
    true = None if truth is None else photographed(models, truth, judge.recogniser, "truth")
    found = detect(models, images)
    apply_policy(found, if_no_face, "Use other pictures, or set if_no_face to skip or pass through.")
    candidates = embed(
        models, found if which == MOST_SIMILAR else select(found, "largest", "0"), judge.recogniser
    )
    scored = _scored(judge, candidates)
    best = [max(range(len(row)), key=row.__getitem__, default=None) for row in scored]
    similarities = tuple(None if n is None else row[n] for n, row in zip(best, scored, strict=True))
    compared = tuple(None if n is None else row[n] for n, row in zip(best, candidates.faces, strict=True))
    kept = _ranked(similarities, if_no_face == PASS_THROUGH)[:keep]
    axes = () if true is None else tuple(axes_of(face, true, judge.target) for face in compared)
    return Scores(judge, found, compared, similarities, tuple(kept), bar, axes)


def _scored(judge: Judge, faces: Faces) -> list[list[float]]:
    """The cosine of each face of each picture with the judge's target."""
    vectors = [face.embeddings[judge.recogniser] for found in faces.faces for face in found]
    each = iter(cosines("identity", judge.target, vectors))
    return [[next(each) for _ in found] for found in faces.faces]


def _ranked(similarities: Sequence[float | None], faceless_too: bool) -> list[int]:
    """Places, best first."""
    scored = [(-cosine, place) for place, cosine in enumerate(similarities) if cosine is not None]
    rest = [place for place, cosine in enumerate(similarities) if cosine is None]
    return [place for _, place in sorted(scored)] + (rest if faceless_too else [])
