"""The thumbnails of Arc2Face, FreeCure and PVA."""

from __future__ import annotations

import torch

from likeness.faces.choose import select
from likeness.faces.detect import detect
from likeness.faces.draw import draw_faces
from likeness.faces.embed import identify
from likeness.faces.ffhq import align_ffhq
from likeness.faces.holes import holes
from likeness.faces.models import FaceModels

from .thumbnail_card import DIM, Card, around_face, ball, cells, mesh_picture


def vector_of(models: FaceModels, image: torch.Tensor) -> torch.Tensor:
    return identify(models, select(detect(models, image)), "sface", "mean").embeddings[0]


def arc2face_basic(models: FaceModels, image: torch.Tensor) -> None:
    faces, card = select(detect(models, image)), Card()
    card.text((256, 40), "one face, no prompt", 24)
    card.panel(around_face(draw_faces(image, faces)), (24, 114, 174, 264), "who")
    card.arrow(186, 189)
    for i in range(4):
        left, top = 236 + i % 2 * 130, 72 + i // 2 * 130
        card.panel(None, (left, top, left + 118, top + 118))
    card.text((360, 350), "SD1.5", 18, DIM)
    card.save("arc2face_basic")


def arc2face_mix(models: FaceModels, image: torch.Tensor) -> None:
    """A vector, another (the same numbers in another order: there is one photo) and points between them."""
    first = vector_of(models, image)
    second, card = first.roll(200), Card()
    card.text((256, 40), "two people, and those between", 24)
    for i, part in enumerate((0.0, 0.25, 0.5, 0.75, 1.0)):
        left = 26 + i * 94
        mixed = (1 - part) * first + part * second
        card.panel(cells(mixed / mixed.norm()), (left, 96, left + 84, 264), ("A", "", "A + B", "", "B")[i])
    card.text((256, 322), "and new ones, made up", 18, DIM)
    card.save("arc2face_mix")


def arc2face_expression(models: FaceModels, image: torch.Tensor) -> None:
    """The mesh is what the expression is read from."""
    faces, card = select(detect(models, image)), Card()
    card.text((256, 34), "this face, that expression", 24)
    card.panel(around_face(draw_faces(image, faces)), (16, 70, 146, 200), "who")
    mirrored = image.flip(2)
    mesh = mesh_picture(mirrored, select(detect(models, mirrored)))
    card.panel(mesh[:, 20:300, 148:428], (16, 230, 146, 360))
    card.text((230, 262), "55 numbers", 15, DIM)
    card.arrow(158, 295, 190)
    card.arrow(158, 135, 190)
    card.panel(None, (394, 100, 496, 270), "Arc2Face")
    card.save("arc2face_expression")


def two_into(
    models: FaceModels,
    image: torch.Tensor,
    title: str,
    method: str,
    second: torch.Tensor | None,
    word: tuple[int, str],
    label: str = "",
) -> Card:
    """The face and a second thing, both into a method. word: beside the second arrow, and where."""
    faces, card = select(detect(models, image)), Card()
    card.text((256, 34), title, 24)
    card.panel(around_face(draw_faces(image, faces)), (16, 70, 146, 200))
    card.panel(second, (16, 224, 146, 354), label)
    card.text((word[0], 255), word[1], 15, DIM)
    card.arrow(158, 135, 160)
    card.arrow(158, 289, 160)
    card.panel(None, (346, 104, 496, 294), method)
    return card


def arc2face_reference(models: FaceModels, image: torch.Tensor) -> None:
    card = two_into(models, image, "hair, clothes and light, too", "Arc2Face", image, (200, "looks"))
    card.text((200, 100), "who", 15, DIM)
    card.save("arc2face_reference")


def arc2face_pose(models: FaceModels, image: torch.Tensor) -> None:
    card = two_into(models, image, "a face, posed by a normal map", "Arc2Face", ball(), (205, "normals"))
    card.save("arc2face_pose")


def freecure_any_adapter(models: FaceModels, image: torch.Tensor) -> None:
    title = "hair and glasses, after any adapter"
    card = two_into(models, image, title, "FreeCure", None, (205, "mask"), "without her")
    card.save("freecure_any_adapter")


def freecure(models: FaceModels, image: torch.Tensor, name: str, title: str, steps: list[str]) -> None:
    faces, card = select(detect(models, image)), Card()
    card.text((256, 34), title, 24)
    card.panel(around_face(draw_faces(image, faces)), (16, 120, 126, 230), "who")
    for place, step in enumerate(steps):
        left, right = 172 + place * 336 // len(steps), 132 + (place + 1) * 336 // len(steps)
        card.arrow(left - 34, 175, 16)
        card.panel(None, (left, 110, right, 240), step)
    card.save(name)


def pva(models: FaceModels, image: torch.Tensor, name: str, title: str, words: str) -> None:
    """The person as PVA's encoder is shown them, a picture with its hole, and what is to come."""
    (face,), card = select(detect(models, image)).faces[0], Card()
    mirrored = image.flip(2)
    hole = holes(mirrored, "whole face")[..., None]
    card.text((256, 34), title, 24)
    card.panel(align_ffhq(image[0], face.keypoints, 256)[None], (16, 70, 146, 200), "who")
    card.panel((mirrored * (1 - hole) + 0.5 * hole)[:, 20:300, 148:428], (16, 230, 146, 360))
    card.text((205, 262), "hole", 15, DIM)
    card.arrow(158, 135, 160)
    card.arrow(158, 295, 160)
    card.panel(None, (346, 104, 496, 294), words)
    card.text((421, 199), "SD2", 22, DIM)
    card.save(name)


def pva_convert() -> None:
    card = Card()
    card.text((256, 110), "a PVA file", 24)
    card.text((140, 210), "FPIP.bin", 26)
    card.arrow(214, 210, 40)
    card.text((378, 210), ".safetensors", 26)
    card.text((378, 246), "half the size", 15, DIM)
    card.save("pva_convert")
