"""Photos of one person, and in each the face that counts."""

from __future__ import annotations

import torch

from ..choices.faces import ERROR, FFHQ, PHOTO_ALIGNS
from ..values import Face, Faces
from .choose import select
from .detect import detect
from .models import FaceModels
from .pixels import check_image
from .policy import apply_policy
from .references import Images

#: One photo [H, W, 3] as it came, and the face in it that counts, if there is one.
Photo = tuple[torch.Tensor, Face | None]


def photos_of(
    images: Images = None, faces: Faces | None = None, align: str = FFHQ, if_no_face: str = ERROR
) -> list[Photo]:
    """Every photo of a person, with the face that is looked at: of several the largest.

    images: photos of any sizes; faces: found before, in place of images. A photo without a face: see
    policy.py; passed through, it is taken as it is, as all are that are not to be aligned. Raises ValueError
    without a photo, or for another align.
    """
    if align not in PHOTO_ALIGNS:
        raise ValueError(f"align must be one of {', '.join(PHOTO_ALIGNS)}, not {align!r}.")
    batches = {"images": images} if isinstance(images, torch.Tensor) else dict(images or {})
    if faces is not None and batches:
        raise ValueError("images and faces are both connected: connect one of them.")
    found: list[Photo] = []
    if faces is not None:
        found = _with_faces(faces, align, if_no_face, "Use another photo, or disconnect faces.")
    for name, batch in batches.items():
        check_image(batch, "images")
        if align != FFHQ:
            found += [(picture, None) for picture in batch]
        elif len(batch):
            advice = f"It came through {name}. Use another photo, or set align to none for a portrait."
            everybody = detect(FaceModels.open("embedded"), batch)
            found += _with_faces(everybody, align, if_no_face, advice)
    if not found:
        raise ValueError("There is nobody to encode: connect photos of the person to images, or faces.")
    return found


def _with_faces(faces: Faces, align: str, if_no_face: str, advice: str) -> list[Photo]:
    chosen = select(apply_policy(faces, if_no_face, advice), "largest", "0")
    pairs = zip(chosen.images, chosen.faces, strict=True)
    return [(picture, here[0] if here and align == FFHQ else None) for picture, here in pairs]
