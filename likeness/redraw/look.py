"""A look at what was drawn, where it will be: is it a better likeness, in the same pose and expression?

The judge sees the picture with the new face pasted in, so at the size that it has there: what a crop shows of
a small face is lost on the way back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ..expressions.measure import Measure, distance
from ..faces.detect import detect
from ..faces.models import FaceNetworks
from ..faces.turned import carried
from ..values import Crops, Face, Faces, Identity
from .cut import Cut
from .kept import Try
from .who import BETTER, is_right, more_like, similarities

_NO_BETTER = "not more like the person"


@dataclass(frozen=True)
class Seen:
    """What was seen of a try: how like the person it is, whose of the cast it is rather or "", and why it is
    refused or ""."""

    similarity: float
    like: str
    refused: str


@dataclass(frozen=True, eq=False)
class Look:
    """Who looks for whom. judge: the recogniser of the cast, everybody as they are in its eyes."""

    models: FaceNetworks
    judge: str
    cast: Mapping[str, Identity]

    def at(self, cut: Cut, drawn: torch.Tensor, best: Try | None) -> Seen:
        """A drawn crop [1, S, S, 3] in its picture. best: the try to beat, if any is better than the face."""
        picture = cut.pasted(drawn)
        crop = cut.again(picture)
        seen = nearest(detect(self.models, crop).faces[0], cut.face)
        if seen is None:
            return Seen(-1.0, "", "no face was drawn")
        there = to_picture(cut.crops, seen)
        everybody = similarities(self.models, picture, there, self.cast, self.judge)
        similarity = everybody[cut.task.name]
        like = more_like(cut.task.name, everybody, cut.settings.at_least)
        refused = no_better(cut, similarity, like, best) or _ran_away(cut, there, Faces(crop, ((seen,),)))
        return Seen(similarity, like, refused)


def no_better(cut: Cut, similarity: float, like: str, best: Try | None) -> str:
    """Why a try is no better than what there is; "" when it is. One that is right is better than a face that
    is somebody else's, and of two tries one that is nobody else's, however like the other is."""
    right = is_right(similarity, like, cut.settings.at_least)
    if similarity <= cut.task.similarity + BETTER and not (right and cut.task.like):
        return _NO_BETTER
    if like and not cut.task.like:
        return f"more like {like}"
    if best is not None and (not like, similarity) <= (not best.like, best.similarity + BETTER):
        return _NO_BETTER
    return ""


def _ran_away(cut: Cut, face: Face, crop: Faces) -> str:
    """Why a new face is not in the old one's pose or expression; "" when it is."""
    how, old = cut.settings, cut.task.face
    moved = float((face.keypoints - old.keypoints).norm(dim=1).max()) / eye_distance(old)
    if how.pose_shift and moved > how.pose_shift:
        return f"the pose moved by {moved:.2f} eye distances"
    if how.expression_shift and cut.expression is not None:
        after = Measure().read(crop)[0]
        if after is None:
            return "no expression can be read off it"
        apart = distance(cut.expression, after)
        if apart > how.expression_shift:
            return f"the expression is {apart:.2f} away"
    return ""


def nearest(found: tuple[Face, ...], old: Face) -> Face | None:
    """The face that stands where the old one stood."""
    away = [(float((one.keypoints.mean(dim=0) - old.keypoints.mean(dim=0)).norm()), one) for one in found]
    near = [one for one in away if one[0] < eye_distance(old)]
    return min(near, key=lambda one: one[0])[1] if near else None


def eye_distance(face: Face) -> float:
    """In pixels. The eyes of a profile nearly coincide, so the way down to the mouth counts, too."""
    points = face.keypoints
    across = float((points[1] - points[0]).norm())
    down = float((points[3:].mean(dim=0) - points[:2].mean(dim=0)).norm())
    return max(across, 0.8 * down, 1e-3)


def to_picture(crops: Crops, face: Face) -> Face:
    """A face of the first crop, in pixels of its picture."""
    square = crops.maps[0]
    return carried(face, torch.cat([square[:, :2] / crops.side, square[:, 2:]], dim=1))
