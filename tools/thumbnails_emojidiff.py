"""The thumbnails of EmojiDiff: templates as an E-adapter is shown them."""

from __future__ import annotations

import torch

from likeness.expressions.templates import How, Templates, make_templates
from likeness.faces.choose import select
from likeness.faces.detect import detect
from likeness.faces.draw import draw_faces
from likeness.faces.keypoints import keypoint_images
from likeness.faces.models import FaceModels

from .drawn_world import instead, of_person, result
from .thumbnail_card import DIM, Card, around_face


def basic(models: FaceModels, image: torch.Tensor) -> None:
    image = instead(drawn := result("emojidiff", 2), "template_2", image)
    made, card = _templates(models, image), Card()
    card.text((256, 40), "the expression of a picture", 24)
    card.panel(around_face(made.preview), (16, 104, 156, 284), "found")
    card.arrow(163, 194, 16)
    card.panel(made.images, (192, 124, 332, 264), "taken")
    card.arrow(339, 194, 16)
    card.drawn(drawn, (368, 104, 496, 284), "your prompt", "SD1.5")
    card.save("emojidiff_basic")


def instantid(models: FaceModels, image: torch.Tensor) -> None:
    drawn, image = of_person(image, "emojidiff_instantid", 2)
    mirrored, card = instead(drawn, "template_2", image.flip(2)), Card()
    faces = select(detect(models, image))
    card.text((256, 34), "this person, that expression", 24)
    card.panel(around_face(draw_faces(image, faces)), (16, 70, 146, 200))
    card.panel(_templates(models, mirrored).images, (16, 224, 146, 354))
    card.arrow(153, 135, 25)
    card.panel(around_face(keypoint_images(faces, points="eyes and nose")), (188, 70, 308, 200))
    card.text((248, 216), "without the mouth", 15, DIM)
    card.arrow(315, 135, 35)
    card.arrow(153, 289, 197)
    card.drawn(drawn, (362, 104, 496, 310), "your prompt", "SDXL")
    card.save("emojidiff_instantid")


def sequence(models: FaceModels, image: torch.Tensor) -> None:
    card = Card()
    card.text((256, 40), "from one expression to another", 24)
    ends = (image, image.flip(2))
    for left, end, label in zip((60, 342), ends, ("from", "to"), strict=True):
        card.panel(_templates(models, end).images, (left, 80, left + 110, 190), label)
    card.arrow(186, 135, 140)
    for i in range(6):
        card.panel(None, (28 + i * 78, 240, 98 + i * 78, 330))
    card.text((256, 352), "SD1.5", 18, DIM)
    card.save("expression_sequence")


def _templates(models: FaceModels, image: torch.Tensor) -> Templates:
    return make_templates(None, select(detect(models, image)), How())
