"""The host's BOUNDING_BOX, in and out: {"x", "y", "width", "height"} in pixels, often with label and score.

One box, a list of boxes, or a list of boxes for each picture of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
#: So many lines of the report go into an error.
_LINES = 20
_SIDES = ("x", "y", "width", "height")


def read_boxes(boxes: Any, pictures: int) -> list[list[torch.Tensor]]:
    """The boxes [4] x1, y1, x2, y2 of each of so many pictures. Raises ValueError for another shape.

    As the host's own nodes take it: one box, or one list of boxes, is meant for every picture. None instead
    of a list is none. A box may be without extent.
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
        for picture, own in enumerate(_lists(boxes))
    ]


def _lists(boxes: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for picture, own in enumerate(boxes):
        if not isinstance(own, list | tuple | None):
            raise ValueError(f"bboxes: picture {picture} must have a list of boxes, not {own!r}.")
        yield own or ()


def _box(box: Any, what: str) -> torch.Tensor:
    if not isinstance(box, Mapping) or not all(isinstance(box.get(side), Real) for side in _SIDES):
        raise ValueError(f"bboxes: {what} must have the numbers {', '.join(_SIDES)}, not {box!r}.")
    x, y, width, height = (float(box[side]) for side in _SIDES)
    return torch.tensor([x, y, x + width, y + height])


def faces_in_boxes(
    models: FaceNetworks, images: torch.Tensor, boxes: Any, min_score: float = 0.5
) -> tuple[Faces, str, str]:
    """The face in each box of a BOUNDING_BOX, in their order, and a report: a line for each box.

    The detector looks at the box and what is around it; of the faces whose middle lies in the box the one
    that fills it best is taken, with the detector's own box, points and score. A box without a face, or
    with one that an earlier box led to, adds none, nor does one without extent. Last comes what to do about
    pictures without a face, with their lines of the report. Raises ValueError, MissingModel.
    """
    check_image(images)
    wanted = read_boxes(boxes, images.shape[0])
    detector = models.detector()
    found: list[tuple[Face, ...]] = []
    report: list[str] = []
    failed: list[str] = []
    for index, own in enumerate(wanted):
        rgb = rgb8(images, index) if own else None
        kept: list[Face] = []
        told = [_told(detector, rgb, box, min_score, kept) for box in own]
        lines = [f"picture {index}, box {number}: {words}" for number, words in enumerate(told)]
        report += lines or [f"picture {index}: no boxes"]
        failed += [] if kept else lines or [f"picture {index}: no boxes"]
        found.append(tuple(kept))
    return Faces(images, tuple(found)), "\n".join(report), _advice(failed)


def _told(detector: Any, rgb: Any, box: torch.Tensor, min_score: float, kept: list[Face]) -> str:
    """What a box led to. Its face is added to `kept`, unless it is there."""
    if not torch.isfinite(box).all() or not (box[2:] > box[:2]).all():
        x1, y1, x2, y2 = box.tolist()
        return f"no extent ({x2 - x1:g} x {y2 - y1:g} at {x1:g}, {y1:g})"
    face = _face_in(detector, rgb, box, min_score)
    if face is None:
        return "no face"
    earlier = _same(face, kept)
    if earlier is not None:
        return f"face {earlier} again"
    kept.append(face)
    return f"face {len(kept) - 1}, score {face.score:.2f}"


def _advice(failed: list[str]) -> str:
    more = [f"and {len(failed) - _LINES} more"] if len(failed) > _LINES else []
    listed = "; ".join([*failed[:_LINES], *more])
    return f"Lower min_score, check the boxes, or set if_no_face to skip. In detail: {listed}."


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
