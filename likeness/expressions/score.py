"""Pictures scored by their expression: how far each is from a template, beside how like the person it is.

The two numbers that a method of expression trades. Spec: pva_freecure_emojidiff.md C.5, C.6.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from ..choices.expressions import NOBODY
from ..faces.choose import select
from ..faces.detect import detect
from ..faces.models import FaceNetworks
from ..faces.policy import ERROR, PASS_THROUGH, apply_policy, pictures
from ..values import Face, Faces
from .measure import Measure, Reading, distance

log = logging.getLogger(__name__)


class Judged(Protocol):
    """What scoring faces gives: the face that counts in each picture, and its similarity."""

    @property
    def found(self) -> Faces: ...

    @property
    def compared(self) -> tuple[Face | None, ...]: ...

    @property
    def similarities(self) -> tuple[float | None, ...]: ...


@dataclass(frozen=True)
class ExpressionScores:
    """distances and similarities: one for each picture, None without a face or without a judge.

    kept: places in the batch, best first. says: which measure the distances are of.
    """

    distances: tuple[float | None, ...]
    similarities: tuple[float | None, ...]
    kept: tuple[int, ...]
    says: str
    min_similarity: float

    @property
    def best(self) -> int | None:
        """The place of the best picture that could be measured, or None."""
        return next((place for place in self.kept if self.distances[place] is not None), None)

    @property
    def distance(self) -> float:
        """Of the best picture, or NOBODY."""
        found = None if self.best is None else self.distances[self.best]
        return NOBODY if found is None else found

    @property
    def similarity(self) -> float:
        """Of the best picture, or NOBODY."""
        found = None if self.best is None else self.similarities[self.best]
        return NOBODY if found is None else found


def score_expressions(
    models: FaceNetworks,
    images: torch.Tensor,
    template: torch.Tensor | Faces | None,
    landmarker: object = None,
    judged: Judged | None = None,
    keep: int = 1,
    min_similarity: float = NOBODY,
    if_no_face: str = ERROR,
) -> ExpressionScores:
    """How far the expression of each picture of an IMAGE [B, H, W, C] is from the template's.

    template: pictures of the expression or faces in them, one for all or one for each; the largest face of
    each counts. judged: who the pictures show; its faces count, else the largest. Kept are the least
    distances; pictures less similar than min_similarity come behind. Raises ValueError, MissingModel.
    """
    if keep < 1:
        raise ValueError(f"keep must be 1 or more, not {keep}.")
    measure = Measure(landmarker)
    wanted = _templates(models, template, measure, len(images))
    faces = _counting(models, images, judged, if_no_face)
    found = measure.read(faces)
    distances = tuple(
        None if one is None else distance(one, other)
        for one, other in zip(found, wanted * (len(images) // len(wanted)), strict=True)
    )
    unseen = [n for n, gap in enumerate(distances) if gap is None and faces.faces[n]]
    if unseen and if_no_face == ERROR:
        raise ValueError(
            f"The landmarker sees no face in {pictures(unseen)}. Use other pictures, leave landmarker open, "
            "or set if_no_face to skip or pass through."
        )
    similarities = judged.similarities if judged is not None else (None,) * len(distances)
    kept = _ranked(distances, similarities, min_similarity, if_no_face == PASS_THROUGH)[:keep]
    log.info("Score Expression: %s", measure.says)
    return ExpressionScores(distances, similarities, tuple(kept), measure.says, min_similarity)


def _templates(
    models: FaceNetworks, template: torch.Tensor | Faces | None, measure: Measure, count: int
) -> list[Reading]:
    if template is None:
        raise ValueError(
            "There is no expression to compare with. Connect a picture of it to template, or its faces to "
            "template_faces."
        )
    faces = detect(models, template, what="template") if isinstance(template, torch.Tensor) else template
    if len(faces.faces) not in (1, count):
        raise ValueError(
            f"template holds {len(faces.faces)} pictures for {count} to score. Connect one, or one for each."
        )
    readings = measure.read(select(faces, "largest", "0"))
    empty = [place for place, one in zip(faces.indices, readings, strict=True) if one is None]
    if empty:
        raise ValueError(
            f"The template shows no face that can be measured, in {pictures(empty)}. Use a picture with a "
            "clear face; drawn faces are often not seen."
        )
    return [one for one in readings if one is not None]


def _counting(models: FaceNetworks, images: torch.Tensor, judged: Judged | None, if_no_face: str) -> Faces:
    """At most one face for each picture of the batch."""
    if judged is not None:
        return judged.found.with_faces([() if face is None else (face,) for face in judged.compared])
    found = detect(models, images)
    apply_policy(found, if_no_face, "Use other pictures, or set if_no_face to skip or pass through.")
    return select(found, "largest", "0")


def _ranked(
    distances: Sequence[float | None],
    similarities: Sequence[float | None],
    bar: float,
    faceless_too: bool,
) -> list[int]:
    """Places, best first: those like the person by their distance, then the others, then no face."""
    found = []
    for place, gap in enumerate(distances):
        like = similarities[place]
        if gap is not None:
            found.append((like is not None and like < bar, gap, place))
    rest = [place for place, gap in enumerate(distances) if gap is None]
    return [place for _, _, place in sorted(found)] + (rest if faceless_too else [])


def write_table(scores: ExpressionScores, judge: str = "") -> str:
    """The best, what was measured, who judged (a sentence of the judge's), and a line for each picture."""
    count, best = len(scores.distances), scores.best
    if best is None:
        lines = [f"expression distance: no face in any of {count} pictures"]
    else:
        lines = [f"expression distance {scores.distance:.3f}: picture {best}, the best of {count}"]
        if scores.similarities[best] is not None:
            lines[0] += f"; its similarity {scores.similarity:.3f} (cosine)"
    lines += [scores.says, judge or "Judge: nobody; connect identity to see how like the person they are."]
    lines.append("picture  distance  similarity  kept as")
    ranks = {place: rank for rank, place in enumerate(scores.kept, 1)}
    for place, (gap, like) in enumerate(zip(scores.distances, scores.similarities, strict=True)):
        shown = "no face" if gap is None else f"{gap:.3f}"
        alike = "-" if like is None else f"{like:.3f}"
        line = f"{place:>7}  {shown:>8}  {alike:>10}  {ranks.get(place, '-'):>7}"
        if like is not None and like < scores.min_similarity:
            line += f"  below min_similarity {scores.min_similarity:g}"
        lines.append(line)
    return "\n".join(lines)
