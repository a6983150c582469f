"""Cutting faces out of their pictures, all in one size."""

from __future__ import annotations

import torch

from ..values import Crops, Face, Faces
from .ffhq import align_ffhq
from .masks import face_masks
from .pixels import check_finite, check_image
from .resample import resample
from .squares import FFHQ, UPRIGHT, face_map, middle_map, moved

#: How far a crop's mask reaches beyond the outline of the face, and fades, in parts of the face: the
#: mesh ends below the hairline.
_EDGE = 0.1


def crop_faces(
    faces: Faces, size: int = 512, margin: float = 0.5, align: str = UPRIGHT
) -> tuple[Crops, Faces]:
    """A square crop of every face, picture by picture, and the faces as they lie in their crops.

    size: pixels of a side. margin, align: see squares.face_map. The crops are [N, size, size, 3] float32 on
    the CPU; where the picture ends, its edge goes on, and in FFHQ's frame what goes on there. A picture
    without a face gives its middle square, which is never pasted. Raises ValueError.
    """
    if size < 8:
        raise ValueError(f"size must be 8 pixels or more, not {size}.")
    if not faces.faces:
        raise ValueError("There is nothing to crop: every picture was skipped for want of a face.")
    check_image(faces.images, "faces")
    found: list[tuple[int, Face | None]] = []
    for index, here in enumerate(faces.faces):
        found += [(index, face) for face in here] or [(index, None)]
    maps = [face_map(face, margin, align) if face else middle_map(faces.size) for _, face in found]
    images = torch.cat(
        [
            _as_ffhq(faces.images, index, face, size)
            if face and align == FFHQ
            else _cut(faces.images, index, square, size)
            for (index, face), square in zip(found, maps, strict=True)
        ]
    )
    pictures = tuple(index if face else -1 for index, face in found)
    inside = tuple(
        (moved(face, square, size),) if face else () for (_, face), square in zip(found, maps, strict=True)
    )
    return Crops(images, torch.stack(maps), pictures, faces.indices, faces.size), Faces(images, inside)


def crop_masks(inside: Faces, margin: float = 0.5, align: str = UPRIGHT) -> torch.Tensor:
    """The face in each crop, [N, size, size] float32: the outline of its mesh, a little larger and soft.

    inside: the faces in their crops, from crop_faces with the same margin and align.
    """
    around = 0.5 if align == FFHQ else margin
    edge = _EDGE * inside.size[0] / (1 + 2 * around)
    return face_masks(inside, "hull", edge, edge)


def planes_of(picture: torch.Tensor) -> torch.Tensor:
    """A picture [H, W, C] as [1, 3, H, W], a view: without alpha, grey as three."""
    return picture[..., :3].movedim(-1, 0)[None].expand(-1, 3, -1, -1)


def _as_ffhq(images: torch.Tensor, index: int, face: Face, size: int) -> torch.Tensor:
    """[1, size, size, 3], as the pictures that models in this frame were trained on."""
    picture = planes_of(images[index])[0].movedim(0, -1).to("cpu", torch.float32)
    check_finite(picture, index, "faces")
    return align_ffhq(picture, face.keypoints, size)[None]


def _cut(images: torch.Tensor, index: int, square: torch.Tensor, size: int) -> torch.Tensor:
    """[1, size, size, 3]."""
    to_picture = torch.cat([square[:, :2] / size, square[:, 2:]], dim=1)
    crop = resample(planes_of(images[index]), to_picture, (size, size))
    check_finite(crop, index, "faces")
    return crop.clamp(0, 1).movedim(1, -1).contiguous()
