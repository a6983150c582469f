"""Faces that are turned, up to standing on their head: told by the mesh, looked at again upright.

A detector's score says that there is a face, not that the points are right: it marks eyes on the mouth of a
face that lies on its side, and draws the points of one that leans towards upright. The mesh can tell. Looking
at a face as it stands it is sure; at one that is turned much it is not. So it says at which angle to look.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..values import Face
from .align import TEMPLATE, invert, similarity, transform
from .crops import planes_of
from .mesh import extent, look
from .mesh_points import five_points
from .resample import resample
from .squares import turned_square

log = logging.getLogger(__name__)

#: One pass of a detector over a picture [H, W, 3] uint8 RGB, fitted into a square of this side.
Find = Callable[[Any, int], Sequence[Face]]

#: The mesh's presence for a face of a photo as it stands is 17 to 40, for one on its side or head 12 at most.
SURE = 15.0
#: Drawn faces have less, but as they stand that much, and that much more than turned further than so many
#: degrees. Profiles and hidden faces have nothing at all: they are left as the detector found them.
_LEAD, _ANOTHER = 8.0, 45.0
#: Degrees that the mesh may find a face turned against what its detector looked at. A face that leans by 15
#: has lost .04 to .3 of its likeness, one by 10 hardly any.
_LEANS = 12.0
#: Faces smaller than this are too small for the mesh, and for a likeness.
_SMALLEST = 32.0
#: Looks at one hypothesis, each at the angle that the last one found; more until the angle stays.
_LOOKS, _MORE, _STAYS = 3, 3, 3.0
#: The second look: a square of twice the face, in so many pixels. How much the score may fall by it.
_AROUND, _SECOND, _FALL = 2.0, 320, 0.1
#: Boxes that share so much of what both cover are one face.
_SAME = 0.5


@dataclass(frozen=True)
class Pose:
    """How the mesh sees a face: its points [468, 2] float64 in pixels, the angle in radians of its eyes,
    clockwise, and how sure it is (a logit)."""

    points: torch.Tensor
    angle: float
    sure: float


def set_right(
    find: Find, rgb: Any, faces: Sequence[Face], view: float = 0.0
) -> tuple[list[Face], list[Face]]:
    """Faces that the mesh is sure of, put right where they were found turned; and the others, as they are.

    rgb: their picture [H, W, 3] uint8. view: the angle in radians at which the detector looked at it. A face
    that stands in this view costs one look of the mesh and no pass of the detector.
    """
    picture = torch.from_numpy(rgb)
    sure: list[Face] = []
    others: list[Face] = []
    for face in faces:
        if float((face.box[2:] - face.box[:2]).max()) < _SMALLEST:
            others.append(face)
            continue
        pose = _first(picture, face)
        if pose.sure >= SURE and abs(_between(pose.angle, view)) <= _LEANS:
            sure.append(face)
            continue
        settled = _settled(picture, face, pose)
        if settled is None:
            others.append(face)
        elif abs(_between(settled.angle, view)) <= _LEANS:
            sure.append(face)
        else:
            degrees = math.degrees(settled.angle)
            log.info("%r is turned by %.0f degrees: looked at again upright.", face, degrees)
            sure.append(_again(find, picture, face, settled))
    return distinct(sure), others


def set_right_like(
    find: Find, rgb: Any, sure: Sequence[Face], others: Sequence[Face], surer: float
) -> list[Face]:
    """The others of a picture whose sure faces all lie or stand on their head, looked at as those lie.

    What the detector does not find again was no face, as things in a turned picture often look like one:
    it is left out unless its score is `surer`. In other pictures they stay as they are.
    """
    angles = [_angle(face.keypoints) for face in sure]
    if not others or not sure or min(abs(_between(angle, 0.0)) for angle in angles) < _ANOTHER:
        return list(others)
    picture, kept = torch.from_numpy(rgb), []
    for face in others:
        if abs(_between(_angle(face.keypoints), angles[0])) < _ANOTHER:
            kept.append(face)
            continue
        found = _detected(find, picture, *_frame(face), angles[0], face.score - _FALL)
        if found is not None or face.score >= surer:
            kept.append(found or face)
    return [face for face in distinct([*kept, *sure]) if not any(face is one for one in sure)]


def carried(face: Face, matrix: torch.Tensor) -> Face:
    """A face through a map [2, 3] of turn, scale and shift of places that count pixel edges.

    Its box becomes that of the ellipse in it: the corners of a box that is turned lie far from the face.
    """
    half = (face.box[2:] - face.box[:2]).to(torch.float64) / 2
    half = (matrix[:, :2] * half).norm(dim=1)
    middle = transform(matrix, (face.box[:2] + face.box[2:])[None] / 2)[0]
    points = transform(matrix, face.keypoints.to(torch.float64) + 0.5) - 0.5
    return replace(face, box=torch.cat([middle - half, middle + half]), keypoints=points)


def quarter_turns(rgb: Any) -> Iterator[tuple[Any, float, torch.Tensor]]:
    """A picture turned by a quarter, by three and by two: each with the angle in radians of what stands
    upright in it, and the map [2, 3] of its places back into the picture."""
    import numpy as np

    height, width = rgb.shape[:2]
    for quarters, turn, shift in (
        (1, [[0.0, -1.0], [1.0, 0.0]], (width, 0)),
        (3, [[0.0, 1.0], [-1.0, 0.0]], (0, height)),
        (2, [[-1.0, 0.0], [0.0, -1.0]], (width, height)),
    ):
        back = torch.tensor([[*turn[0], shift[0]], [*turn[1], shift[1]]], dtype=torch.float64)
        yield np.ascontiguousarray(np.rot90(rgb, quarters)), quarters * math.pi / 2, back


def distinct(faces: Sequence[Face]) -> list[Face]:
    """Faces, best score first, without those that an earlier one covers."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda one: -one.score):
        if all(_shared(face.box, other.box) <= _SAME for other in kept):
            kept.append(face)
    return kept


def _first(picture: torch.Tensor, face: Face) -> Pose:
    """One look, as the face's own points say."""
    return _look(picture, *_frame(face), _angle(face.keypoints))


def _settled(picture: torch.Tensor, face: Face, first: Pose) -> Pose | None:
    """The pose that the mesh is sure of: what it found first, followed, or one a quarter turn on."""
    found = [_followed(picture, first, _LOOKS - 1)]
    if found[0].sure < SURE:
        angle = _angle(face.keypoints)
        for quarters in (1, 2, 3):
            pose = _look(picture, *_frame(face), angle + quarters * math.pi / 2)
            found.append(_followed(picture, pose, _LOOKS - 1))
    best = max(found, key=lambda pose: pose.sure)
    rivals = [pose.sure for pose in found if abs(_between(pose.angle, best.angle)) > _ANOTHER]
    if best.sure < SURE and (best.sure < _LEAD or best.sure - max(rivals, default=0.0) < _LEAD):
        return None
    for _ in range(_MORE):
        last, best = best, _followed(picture, best, 1)
        if abs(_between(best.angle, last.angle)) < _STAYS:
            break
    return best


def _followed(picture: torch.Tensor, pose: Pose, looks: int) -> Pose:
    for _ in range(looks):
        pose = _look(picture, *extent(pose.points, pose.angle), pose.angle)
    return pose


def _look(picture: torch.Tensor, centre: torch.Tensor, side: float, angle: float) -> Pose:
    points, presence = look(picture, centre, side, angle)
    return Pose(points, _angle(five_points(points)), presence)


def _again(find: Find, picture: torch.Tensor, face: Face, pose: Pose) -> Face:
    """The face as the detector finds it when it stands upright; else by the mesh's five points."""
    centre, side = extent(pose.points, pose.angle)
    found = _detected(find, picture, centre, side, pose.angle, face.score - _FALL)
    if found is not None:
        return found
    square = turned_square(centre + 0.5, pose.angle, side)
    into = invert(square)
    seen = transform(into, pose.points + 0.5)
    five = transform(into, five_points(pose.points) + 0.5) - 0.5
    return carried(Face(torch.cat([seen.amin(dim=0), seen.amax(dim=0)]), five, face.score), square)


def _detected(
    find: Find, picture: torch.Tensor, centre: torch.Tensor, side: float, angle: float, least: float
) -> Face | None:
    """The detector's best face, with such a score, over the middle of a square that is turned upright."""
    square = turned_square(centre + 0.5, angle, side * _AROUND)
    back = torch.cat([square[:, :2] / _SECOND, square[:, 2:]], dim=1)
    planes = resample(planes_of(picture), back, (_SECOND, _SECOND))[0].round().clamp(0, 255)
    upright = planes.to(torch.uint8).movedim(0, -1).contiguous().numpy()
    middle = torch.full((2,), _SECOND / 2)
    there = [
        face
        for face in find(upright, _SECOND)
        if face.score >= least and (face.box[:2] < middle).all() and (face.box[2:] > middle).all()
    ]
    return carried(max(there, key=lambda face: face.score), back) if there else None


def _frame(face: Face) -> tuple[torch.Tensor, float]:
    """Middle and longer side of its box."""
    return (face.box[:2] + face.box[2:]) / 2, float((face.box[2:] - face.box[:2]).max())


def _angle(points: torch.Tensor) -> float:
    """Radians by which five points are turned clockwise."""
    matrix = similarity(TEMPLATE, points)
    return math.atan2(float(matrix[1, 0]), float(matrix[0, 0]))


def _between(one: float, other: float) -> float:
    """Degrees from one angle to another, -180 to 180."""
    return math.degrees(math.remainder(one - other, math.tau))


def _shared(a: torch.Tensor, b: torch.Tensor) -> float:
    from torchvision.ops import box_iou

    return float(box_iou(a[None], b[None]))
