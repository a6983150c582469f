"""The thumbnails of repairing: a photo whose face was really found, and what is drawn as empty frames.

The drawn world's report has no picture of these templates in docs/proof/shown: no other method's stands for
one.
"""

from __future__ import annotations

import torch

from likeness.faces.choose import select
from likeness.faces.detect import detect
from likeness.faces.draw import draw_faces
from likeness.faces.masks import face_masks
from likeness.faces.models import FaceModels

from .thumbnail_card import DIM, Card, around_face

#: Title, and what draws.
_ONE = {
    "repair_people": ("redraw only who is wrong", "InstantID"),
    "repair_any_model": ("repair with a LoRA", "your LoRA"),
    "repair_pva": ("fill the face with the person", "PVA"),
}


def _found(models: FaceModels, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The photo with its face marked, and where the face would be drawn anew."""
    faces = select(detect(models, image))
    mask = face_masks(faces, "hull", 8, 12)[..., None].expand(-1, -1, -1, 3)
    return around_face(draw_faces(image, faces)), around_face(mask)


def one(models: FaceModels, image: torch.Tensor) -> None:
    seen, mask = _found(models, image)
    for name, (title, method) in _ONE.items():
        card = Card()
        card.text((256, 40), title, 24)
        card.panel(seen, (16, 104, 156, 284), "judged")
        card.arrow(163, 194, 16)
        card.panel(mask, (192, 104, 332, 284), "if it is wrong")
        card.arrow(339, 194, 16)
        card.drawn(None, (368, 104, 496, 284), "redrawn", method)
        card.save(name)


def rounds(models: FaceModels, image: torch.Tensor) -> None:
    seen, _ = _found(models, image)
    card = Card()
    card.text((256, 40), "edited again and again, still the same", 24)
    card.panel(seen, (16, 120, 116, 250), "a picture")
    for i, what in enumerate(("edit", "repair", "edit", "repair")):
        left = 146 + i * 92
        card.arrow(left - 24, 185, 14)
        card.drawn(None, (left, 145, left + 62, 225), "", what)
    card.text((256, 320), "against one saved cast", 15, DIM)
    card.save("edit_rounds")


def frames(models: FaceModels, image: torch.Tensor) -> None:
    """The photo moving to the side: three frames, each looked at."""
    card = Card()
    card.text((256, 40), "every frame, the same person", 24)
    for i in range(3):
        seen, _ = _found(models, image.roll(24 * i, dims=2))
        left = 40 + i * 148
        card.panel(seen, (left, 100, left + 136, 276), f"frame {i + 1}")
    card.save("repair_video_frames")


def until(models: FaceModels, image: torch.Tensor) -> None:
    seen, _ = _found(models, image)
    card = Card()
    card.text((256, 40), "again, until it is her", 24)
    card.panel(seen, (16, 110, 136, 270), "who")
    for i in range(3):
        left = 170 + i * 114
        card.arrow(left - 26, 190, 16)
        card.drawn(None, (left, 130, left + 80, 250), "", f"seed {i + 1}")
    card.save("draw_until")


def save(models: FaceModels, image: torch.Tensor) -> None:
    for make in (one, rounds, frames, until):
        make(models, image)
