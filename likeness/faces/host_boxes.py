"""The host's BOUNDING_BOX, in and out: {"x", "y", "width", "height"} in pixels, often with label and score.

One box, a list of boxes, or a list of boxes for each picture of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from typing import Any

import torch

from ..values import Face, Faces
from .detect import search
from .models import FaceNetworks
from .pixels import check_image, rgb8

#: The detector looks at a square of so many times the longer side: it wants to see some of the head's
#: surroundings (on our test photos its boxes then agree by 0.90 with those in the whole picture).
_MARGIN = 2.0
#: Two boxes that lead to faces which share so much of what both cover lead to the same face.
_SAME = 0.5
_SIDES = ("x", "y", "width", "height")


def read_boxes(boxes: Any, pictures: int) -> list[list[torch.Tensor]]:
    """The boxes [4] x1, y1, x2, y2 of each of so many pictures. Raises ValueError.

    As the host's own nodes take it: one box, or one list of boxes, is meant for every picture.
    """
    if isinstance(boxes, Mapping):
        boxes = [[boxes]]
    if not isinstance(boxes, list | tuple):
        raise ValueError(f"bboxes must be a BOUNDING_BOX of the host, not {type(boxes).__name__}.")
    if not boxes or isinstance(boxes[0], Mapping):
        boxes = [boxes]
    if len(boxes) == 1:
        boxes = [boxes[0]] * pictures
    if len(boxes) != pictures:
        raise ValueError(
            f"bboxes holds boxes for {len(boxes)} pictures, but image {pictures}. Connect the image they "
            "were found in, or one list of boxes for all."
        )
    return [
        [_box(box, f"box {number} of picture {picture}") for number, box in enumerate(own)]
        for picture, own in enumerate(boxes)
    ]


def _box(box: Any, what: str) -> torch.Tensor:
    if not isinstance(box, Mapping) or not all(isinstance(box.get(side), Real) for side in _SIDES):
        raise ValueError(f"bboxes: {what} must have the numbers {', '.join(_SIDES)}, not {box!r}.")
    x, y, width, height = (float(box[side]) for side in _SIDES)
    if not all(math.isfinite(v) for v in (x, y, width, height)) or width <= 0 or height <= 0:
        raise ValueError(f"bboxes: {what} has no extent: {width:g} x {height:g} at {x:g}, {y:g}.")
    return torch.tensor([x, y, x + width, y + height])


def faces_in_boxes(
    models: FaceNetworks, images: torch.Tensor, boxes: Any, min_score: float = 0.5
) -> tuple[Faces, str]:
    """The face in each box of a BOUNDING_BOX, in their order, and a line for each box.

    The detector looks at the box and what is around it; of the faces whose middle lies in the box the one
    that fills it best is taken, with the detector's own box, points and score. A box without a face, or
    with one that an earlier box led to, adds none. Raises ValueError, MissingModel.
    """
    check_image(images)
    wanted = read_boxes(boxes, images.shape[0])
    detector = models.detector()
    found: list[tuple[Face, ...]] = []
    report: list[str] = []
    for index, own in enumerate(wanted):
        rgb = rgb8(images, index) if own else None
        kept: list[Face] = []
        for number, box in enumerate(own):
            face = _face_in(detector, rgb, box, min_score)
            earlier = None if face is None else _same(face, kept)
            if face is not None and earlier is None:
                kept.append(face)
            report.append(f"picture {index}, box {number}: {_told(face, earlier, len(kept))}")
        found.append(tuple(kept))
    return Faces(images, tuple(found)), "\n".join(report) or "no boxes"


def _told(face: Face | None, earlier: int | None, count: int) -> str:
    if face is None:
        return "no face"
    return f"face {earlier} again" if earlier is not None else f"face {count - 1}, score {face.score:.2f}"


def _face_in(detector: Any, rgb: Any, box: torch.Tensor, min_score: float) -> Face | None:
    height, width = rgb.shape[:2]
    x1, y1, x2, y2 = box.tolist()
    half = _MARGIN * max(x2 - x1, y2 - y1) / 2
    left, right = (round(min(max((x1 + x2) / 2 + side, 0), width)) for side in (-half, half))
    top, bottom = (round(min(max((y1 + y2) / 2 + side, 0), height)) for side in (-half, half))
    if left >= right or top >= bottom:
        return None
    shift = torch.tensor([left, top], dtype=torch.float32)
    near = [
        replace(face, box=face.box + shift.repeat(2), keypoints=face.keypoints + shift)
        for face in search(detector, rgb[top:bottom, left:right].copy(), min_score)
    ]
    inside = [face for face in near if _middle_in(face, box)]
    return max(inside, key=lambda face: _shared(face.box, box), default=None)


def _middle_in(face: Face, box: torch.Tensor) -> bool:
    middle = (face.box[:2] + face.box[2:]) / 2
    return bool((middle >= box[:2]).all() and (middle <= box[2:]).all())


def _shared(a: torch.Tensor, b: torch.Tensor) -> float:
    from torchvision.ops import box_iou

    return float(box_iou(a[None], b[None]))


def _same(face: Face, kept: list[Face]) -> int | None:
    return next((place for place, other in enumerate(kept) if _shared(face.box, other.box) > _SAME), None)


def boxes_from_faces(faces: Faces) -> list[list[dict[str, Any]]]:
    """BOUNDING_BOX as the host's detectors give it: a list for each picture of `faces`, in their order."""
    return [[_given(face) for face in found] for found in faces.faces]


def _given(face: Face) -> dict[str, Any]:
    x1, y1, x2, y2 = face.box.tolist()
    return {"x": x1, "y": y1, "width": x2 - x1, "height": y2 - y1, "label": "face", "score": face.score}
