"""Showing what was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..values import Face, Faces
from .keypoints import COLOURS
from .pixels import check_image

_BOX = (0, 255, 0)
_INK, _PAPER = (255, 255, 255), (0, 0, 0)


def draw_faces(
    images: torch.Tensor, faces: Faces, labels: Sequence[Sequence[str]] | None = None
) -> torch.Tensor:
    """A copy of an IMAGE [B, H, W, C] with box, points, place and score of each face, or with its label.

    Pixels under no line stay exactly as they were, and so does alpha. `faces` may come from part of
    the batch. labels: in ASCII, one for each face of each picture. Raises ValueError when
    faces come from pictures of another size or another batch.
    """
    check_image(images)
    drawn = images.clone()
    if labels is None:
        labels = [[f"{n}: {face.score:.2f}" for n, face in enumerate(found)] for found in faces.faces]
    for place, found, own in zip(places_in(images, faces), faces.faces, labels, strict=True):
        _draw(drawn[place], found, own)
    return drawn


def places_in(images: torch.Tensor, faces: Faces) -> tuple[int, ...]:
    """Which picture of the batch each entry of `faces` belongs to."""
    return places_of(images, faces.size, faces.indices)


def places_of(images: torch.Tensor, size: tuple[int, int], indices: tuple[int, ...]) -> tuple[int, ...]:
    """The same, for faces found in pictures of a size (width, height), at these places of a batch."""
    given = int(images.shape[2]), int(images.shape[1])
    if indices and given != size:
        raise ValueError(
            f"The image is {given[0]} x {given[1]}, but the faces were found in pictures of {size[0]} x "
            f"{size[1]}. Connect the image that went into Detect Faces."
        )
    if all(place < len(images) for place in indices):
        return indices
    if len(images) == len(indices):
        return tuple(range(len(images)))  # the pictures without a face were taken out of this batch too
    raise ValueError(
        f"The faces come from pictures {list(indices)} (counted from 0), but the image holds "
        f"{len(images)}. Connect the image that went into Detect Faces."
    )


def _draw(picture: torch.Tensor, found: tuple[Face, ...], labels: Sequence[str]) -> None:
    """Draws into `picture` [H, W, C], which is the caller's own copy."""
    import numpy as np

    height, width = picture.shape[:2]
    overlay = np.zeros((height, width, 3), dtype=np.uint8)
    touched = np.zeros((height, width), dtype=np.uint8)
    line = max(1, round(min(height, width) / 300))
    for label, face in zip(labels, found, strict=True):
        _mark(overlay, face, label, line, _BOX, _INK, _PAPER, COLOURS)
        ones = (1,) * 3
        _mark(touched, face, label, line, ones, ones, ones, (ones,) * 5)
    where = torch.from_numpy(touched).to(picture.device, torch.bool)
    colour = torch.from_numpy(overlay).to(picture.device, picture.dtype) / 255.0
    channels = min(3, picture.shape[2])
    picture[..., :channels] = torch.where(where[..., None], colour[..., :channels], picture[..., :channels])


def _mark(canvas: Any, face: Face, text: str, line: int, box: Any, ink: Any, paper: Any, dots: Any) -> None:
    import cv2

    x1, y1, x2, y2 = (round(v) for v in face.box.tolist())
    cv2.rectangle(canvas, (x1, y1), (x2, y2), box, line)
    for (x, y), colour in zip(face.keypoints.tolist(), dots, strict=True):
        cv2.circle(canvas, (round(x), round(y)), line + 1, colour, -1)
    scale = max(0.35, line * 0.35)
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, line)
    # Above the box, or inside it where the picture ends.
    left, base = max(0, x1), y1 - below - line if y1 - height - below > 0 else max(0, y1) + height + line
    cv2.rectangle(canvas, (left, base - height - line), (left + width, base + below), paper, -1)
    cv2.putText(canvas, text, (left, base), cv2.FONT_HERSHEY_SIMPLEX, scale, ink, line, cv2.LINE_8)
