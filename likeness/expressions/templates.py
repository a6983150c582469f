"""Expression templates of a batch of pictures, and a drawing of where they come from.

Spec: pva_freecure_emojidiff.md C.1, C.3 (6), C.5.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import torch

from ..faces.align import invert, transform
from ..faces.choose import ORDERS
from ..faces.crops import planes_of
from ..faces.detect import detect
from ..faces.models import FaceModels
from ..faces.pixels import check_finite, check_image
from ..faces.policy import ERROR, apply_policy
from ..faces.resample import resample
from ..faces.squares import middle_map
from ..faces.template import SIZE, outline, template, template_of_box, with_landmarks
from ..values import Face, Faces

log = logging.getLogger(__name__)

#: x, y, width, height in pixels; all 0: look for a face.
Box = tuple[int, int, int, int]
NO_BOX: Box = (0, 0, 0, 0)
#: Scores below this are worth a look at the preview.
_UNSURE = 0.6
_ADVICE = (
    "Choose another picture, give the place of the face by hand in box_x, box_y, box_width and box_height "
    "(drawings and emoji need that), or set if_no_face."
)
_SQUARE, _OUTLINE = (0, 255, 0), (255, 255, 0)


@dataclass(frozen=True)
class How:
    """Side in pixels; whether faces are aligned and their surroundings black; a box in place of a search."""

    size: int = SIZE
    align: bool = True
    mask_outside: bool = True
    box: Box = NO_BOX
    if_no_face: str = ERROR


@dataclass(frozen=True, eq=False)
class Templates:
    """images [N, S, S, 3], preview [B, H, W, C] of the pictures; ok: every picture gave a template."""

    images: torch.Tensor
    preview: torch.Tensor
    ok: bool


def make_templates(image: torch.Tensor | None, faces: Faces | None, how: How) -> Templates:
    """A template for each picture: of its largest face, or of the box, which is the same in all.

    faces bring their pictures; image alone is searched by the embedded detector. A picture without a face
    is an error, skipped, or passed on as its middle square (ok is False then). Raises ValueError.
    """
    if how.box != NO_BOX:
        return _by_hand(_pictures(image, faces), how)
    if faces is None:
        pictures = _pictures(image, None)
        log.info("No faces are connected: the embedded detector looks for them.")
        faces = detect(FaceModels.open("embedded", "CPU"), pictures)
    everything = faces
    kept = apply_policy(faces, how.if_no_face, _ADVICE)
    preview, made = check_image(everything.images, "faces").clone(), []
    places = {place: index for index, place in enumerate(everything.indices)}
    for index, place in enumerate(kept.indices):
        picture = kept.images[index]
        check_finite(picture, index, "faces")
        if not kept.faces[index]:
            made.append(_middle(picture, how.size))
            continue
        face = ORDERS["largest"](kept.faces[index])[0]
        _warn(face, place, len(kept.faces[index]))
        if how.align or how.mask_outside:
            face = with_landmarks(picture, face)
        cut, matrix = template(picture, face, how.size, how.align, how.mask_outside)
        made.append(cut)
        edge = outline(face) if how.mask_outside else None
        _draw(preview[places[place]], matrix, how.size, edge)
    images = torch.stack(made) if made else torch.zeros(0, how.size, how.size, 3)
    ok = bool(everything.faces) and all(everything.faces)
    return Templates(images, preview, ok)


def _pictures(image: torch.Tensor | None, faces: Faces | None) -> torch.Tensor:
    pictures = image if image is not None else None if faces is None else faces.images
    if pictures is None:
        raise ValueError("Expression Template has nothing to look at: connect image, or faces.")
    if len(check_image(pictures)) == 0:
        raise ValueError("The input image holds no pictures.")
    return pictures


def _by_hand(pictures: torch.Tensor, how: How) -> Templates:
    x, y, width, height = how.box
    if width < 1 or height < 1:
        raise ValueError(
            f"box_width is {width} and box_height {height}: a box by hand needs both. Set all four to 0 to "
            "look for a face."
        )
    tall, wide = pictures.shape[1:3]
    if x >= wide or y >= tall or x + width <= 0 or y + height <= 0:
        raise ValueError(f"The box at {x}, {y} lies outside of the picture, which is {wide} x {tall}.")
    preview, made = pictures.clone(), []
    for index, picture in enumerate(pictures):
        check_finite(picture, index)
        cut, matrix = template_of_box(picture, how.box, how.size, how.mask_outside)
        made.append(cut)
        _draw(preview[index], matrix, how.size, None)
    return Templates(torch.stack(made), preview, True)


def _middle(picture: torch.Tensor, size: int) -> torch.Tensor:
    square = middle_map((picture.shape[1], picture.shape[0]))
    to_picture = torch.cat([square[:, :2] / size, square[:, 2:]], dim=1)
    return resample(planes_of(picture), to_picture, (size, size))[0].clamp(0, 1).movedim(0, -1).contiguous()


def _warn(face: Face, place: int, count: int) -> None:
    if count > 1:
        log.info("Expression Template takes the largest of %d faces in picture %d.", count, place)
    if face.score < _UNSURE:
        log.warning(
            "The detector is not sure of the face in picture %d (%.2f): look at the preview, or give the "
            "place by hand (box_x, box_y, box_width, box_height).",
            place,
            face.score,
        )


def _draw(picture: torch.Tensor, matrix: torch.Tensor, size: int, edge: torch.Tensor | None) -> None:
    """The template's square and the face's outline into `picture` [H, W, C], the caller's own copy."""
    import cv2
    import numpy as np

    height, width = picture.shape[:2]
    canvas = np.zeros((height, width, 3), dtype=np.uint8)
    line = max(1, round(min(height, width) / 300))
    corners = torch.tensor([[0, 0], [size, 0], [size, size], [0, size]], dtype=torch.float64)
    shapes: list[tuple[torch.Tensor, Any]] = [(transform(invert(matrix), corners), _SQUARE)]
    if edge is not None:
        shapes.append((edge, _OUTLINE))
    for points, colour in shapes:
        cv2.polylines(canvas, [points.round().to(torch.int32).numpy()], True, colour, line)
    drawn = torch.from_numpy(canvas).to(picture.device, picture.dtype) / 255.0
    channels = min(3, picture.shape[2])
    touched = drawn.amax(dim=-1, keepdim=True) > 0
    picture[..., :channels] = torch.where(touched, drawn[..., :channels], picture[..., :channels])
