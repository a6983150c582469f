"""The thumbnails of ConsistentID, MasterWeaver and FACT: what of a photo each is shown, and empty frames.

Their face parser's file does not come with the pack: what it finds is named, not shown.
"""

from __future__ import annotations

import torch

from likeness.faces.align import align
from likeness.faces.choose import select
from likeness.faces.detect import detect
from likeness.faces.draw import draw_faces
from likeness.faces.ffhq import align_ffhq
from likeness.faces.models import FaceModels

from .thumbnail_card import DIM, Card, around_face

_PARTS = ("face", "eyes", "ears", "nose", "mouth")


def consistentid(models: FaceModels, image: torch.Tensor, name: str, base: str) -> None:
    faces, card = select(detect(models, image)), Card()
    card.text((256, 34), "one photo, by the face and its parts", 24)
    card.panel(around_face(draw_faces(image, faces)), (20, 110, 160, 250), "who")
    card.arrow(174, 180, 16)
    for row, part in enumerate(_PARTS):
        top = 72 + row * 56
        card.draw.rectangle((208, top, 298, top + 44), outline=DIM)
        card.text((253, top + 22), part, 17, DIM)
    card.arrow(314, 200, 16)
    card.drawn(None, (356, 100, 496, 290), "your prompt", base)
    card.save(name)


def masterweaver(models: FaceModels, image: torch.Tensor) -> None:
    """The photo in FFHQ's frame and another photo of hers, for which its mirror image stands."""
    card = Card()
    card.text((256, 34), "a person from one to three photos", 24)
    for row, photo in enumerate((image, image.flip(2))):
        (face,) = select(detect(models, photo)).faces[0]
        top = 70 + row * 146
        card.panel(align_ffhq(photo[0], face.keypoints, 256)[None], (30, top, 150, top + 120))
    card.text((90, 352), "as FFHQ's photos", 15, DIM)
    card.arrow(176, 196, 110)
    card.drawn(None, (336, 96, 486, 296), "your prompt", "SD1.5")
    card.save("masterweaver_basic")


def fact(models: FaceModels, image: torch.Tensor) -> None:
    (face,), card = select(detect(models, image)).faces[0], Card()
    card.text((256, 34), "a person who keeps the model's look", 24)
    card.panel(around_face(image), (16, 104, 156, 284), "who")
    card.arrow(163, 194, 16)
    card.panel(align(image[0] * 255, face.keypoints)[None] / 255, (192, 128, 324, 260), "upright, 112 x 112")
    card.arrow(335, 194, 16)
    card.drawn(None, (368, 104, 496, 284), "your model's look", "SD1.5")
    card.save("fact_basic")


def two_methods(models: FaceModels, image: torch.Tensor) -> None:
    (face,), card = select(detect(models, image)).faces[0], Card()
    card.text((256, 34), "two methods, one person", 24)
    card.panel(align_ffhq(image[0], face.keypoints, 256)[None], (16, 130, 146, 260), "who")
    for row, method in enumerate(("MasterWeaver", "W+ Adapter")):
        middle = 140 + row * 110
        card.arrow(156, middle, 20)
        card.draw.rectangle((192, middle - 30, 318, middle + 30), outline=DIM)
        card.text((255, middle - 8), method, 17)
        card.text((255, middle + 14), "half each", 14, DIM)
        card.arrow(326, middle, 20)
    card.drawn(None, (364, 100, 496, 290), "your prompt", "SD1.5")
    card.save("two_methods_one_person")


def save(models: FaceModels, image: torch.Tensor) -> None:
    consistentid(models, image, "consistentid_basic", "SD1.5")
    consistentid(models, image, "consistentid_sdxl", "SDXL")
    for make in (masterweaver, fact, two_methods):
        make(models, image)
