"""Finding faces. Spec: instantid_arc2face.md 0.2."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from ..values import Face, Faces
from .models import FaceNetworks
from .pixels import check_image, rgb8
from .turned import carried, distinct, lying, quarter_turns, set_right

log = logging.getLogger(__name__)

#: Sides of the square the picture is fitted into; the first that shows a face is used.
SIZES = tuple(range(640, 128, -64))
#: The last try: a border of a quarter on every side, for a face that fills the frame.
_PADDING, _PADDED_SIZE, _GREY = 0.25, 256, 128


def detect(
    models: FaceNetworks,
    images: torch.Tensor,
    min_score: float = 0.5,
    max_faces: int = 0,
    what: str = "image",
) -> Faces:
    """The faces of an IMAGE [B, H, W, C], best score first, in pixels of that IMAGE.

    min_score: 0..1; after a first pass without any face, smaller passes ask for half-way from there to
    1. max_faces: keep that many of the highest scores in each picture, 0 for all. A
    picture without a face gets an empty tuple. what: the input's name, for messages. Raises ValueError
    for bad pictures, MissingModel.
    """
    check_image(images, what)
    if images.shape[0] == 0:
        raise ValueError(f"The input {what} holds no pictures.")
    detector = models.detector()
    found = []
    for index in range(images.shape[0]):
        faces = search(detector, rgb8(images, index, what), min_score)
        found.append(faces[:max_faces] if max_faces > 0 else faces)
    return Faces(images, tuple(found))


def search(detector: Any, rgb: Any, min_score: float) -> tuple[Face, ...]:
    """The faces of one picture, a numpy array [H, W, 3] uint8 RGB, best score first; as `detect`.

    What is found is trusted when the mesh agrees that it stands as the detector sees it, and else looked at
    again, see turned.py. Where nothing is sure the picture is turned in quarters, too.
    """
    sure, others = set_right(partial(_pass, detector, min_score), rgb, _upright(detector, rgb, min_score))
    if not sure or lying(sure) is not None:
        sure, others = _in_quarters(detector, rgb, min_score, sure, others)
    return tuple(sorted([*sure, *others], key=lambda face: -face.score))


def _upright(detector: Any, rgb: Any, min_score: float) -> tuple[Face, ...]:
    """The faces of a picture as it stands."""
    faces = _pass(detector, min_score, rgb, SIZES[0])
    for size in SIZES[1:]:
        if faces:
            return faces
        faces = _pass(detector, _surer(min_score), rgb, size)
    if not faces:
        faces = _bordered(detector, rgb, min_score)
        if faces:
            log.info("A face was found only after a border was put around the picture: it fills the frame.")
    return faces


def _in_quarters(
    detector: Any, rgb: Any, min_score: float, sure: list[Face], others: list[Face]
) -> tuple[list[Face], list[Face]]:
    """The faces of a picture that lies on its side or stands on its head, as set_right has them.

    sure: the faces that lie in it, by which it is turned; without any, each quarter turn is tried. others:
    what else was found in the picture as it stands.
    """
    views = []
    for turned, view, back in quarter_turns(rgb, lying(sure)):
        seen = _pass(detector, min_score, turned, SIZES[0]) or _bordered(detector, turned, min_score)
        found = [carried(face, back) for face in seen]
        views.append(set_right(partial(_pass, detector, min_score), rgb, found, view))
    more, unsure = max(views, key=lambda view: (len(view[0]), max((f.score for f in view[1]), default=0.0)))
    sure = distinct([*sure, *more])
    if not sure:
        # Nobody says that the picture is turned: so many looks see a face in a cup of coffee, too.
        return sure, others
    if lying(sure) is not None:
        # Things in a picture that is turned often look like a face as it stands.
        others = [*unsure, *(face for face in others if face.score >= _surer(min_score))]
    return sure, distinct(others, beside=sure)


def _surer(min_score: float) -> float:
    """What further tries ask for: who looks again and again will see a face in a cup of coffee. They are for
    large faces, which score high there."""
    return (1 + min_score) / 2


def _bordered(detector: Any, rgb: Any, min_score: float) -> tuple[Face, ...]:
    import cv2

    height, width = rgb.shape[:2]
    top, left = round(height * _PADDING), round(width * _PADDING)
    padded = cv2.copyMakeBorder(rgb, top, top, left, left, cv2.BORDER_CONSTANT, value=(_GREY,) * 3)
    shift = torch.tensor([left, top], dtype=torch.float32)
    return tuple(
        replace(face, box=face.box - shift.repeat(2), keypoints=face.keypoints - shift)
        for face in _pass(detector, _surer(min_score), padded, _PADDED_SIZE)
    )


def _pass(detector: Any, min_score: float, rgb: Any, size: int) -> tuple[Face, ...]:
    """One pass. Size and threshold go with the call: the shared detector is never changed."""
    import cv2

    height, width = rgb.shape[:2]
    if min(height, width) * size < max(height, width):
        return ()  # so thin that less than a pixel of it would be left
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    boxes, points = detector.detect(bgr, input_size=(size, size), det_thresh=min_score)
    return tuple(
        Face(torch.from_numpy(box[:4]), torch.from_numpy(five), float(box[4]))
        for box, five in zip(boxes, points, strict=True)
    )
