"""Finding faces. Spec: instantid_arc2face.md 0.2."""

from __future__ import annotations

import logging
from typing import Any

import torch

from ..values import Face, Faces
from .models import FaceNetworks
from .pixels import check_image, rgb8

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
    """The faces of one picture, a numpy array [H, W, 3] uint8 RGB, best score first; as `detect`."""
    import cv2

    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    faces = _run(detector, bgr, SIZES[0], min_score, (0, 0))
    # Who looks again and again will see a face in a cup of coffee. The further tries are for large
    # faces, which score high there, so they ask for more.
    surer = (1 + min_score) / 2
    for size in SIZES[1:]:
        if faces:
            return faces
        faces = _run(detector, bgr, size, surer, (0, 0))
    if faces:
        return faces
    height, width = bgr.shape[:2]
    top, left = round(height * _PADDING), round(width * _PADDING)
    padded = cv2.copyMakeBorder(bgr, top, top, left, left, cv2.BORDER_CONSTANT, value=(_GREY,) * 3)
    faces = _run(detector, padded, _PADDED_SIZE, surer, (left, top))
    if faces:
        log.info("A face was found only after a border was put around the picture: it fills the frame.")
    return faces


def _run(detector: Any, bgr: Any, size: int, min_score: float, offset: tuple[int, int]) -> tuple[Face, ...]:
    """One pass. Size and threshold go with the call: the shared detector is never changed."""
    height, width = bgr.shape[:2]
    if min(height, width) * size < max(height, width):
        return ()  # so thin that less than a pixel of it would be left
    boxes, points = detector.detect(bgr, input_size=(size, size), det_thresh=min_score)
    shift = torch.tensor(offset, dtype=torch.float32)
    return tuple(
        Face(torch.from_numpy(box[:4]) - shift.repeat(2), torch.from_numpy(five) - shift, float(box[4]))
        for box, five in zip(boxes, points, strict=True)
    )
