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

from .drawn_world import MIRRORED, instead, of_person, result
from .thumbnail_card import DIM, Card, around_face, ball, cells, mesh_picture


def vector_of(models: FaceModels, image: torch.Tensor) -> torch.Tensor:
    return identify(models, select(detect(models, image)), "sface", "mean").embeddings[0]


def arc2face_basic(models: FaceModels, image: torch.Tensor) -> None:
    made = [result("arc2face", i) for i in range(4)]
    image = instead(next((one for one in made if one is not None), None), "person", image)
    faces, card = select(detect(models, image)), Card()
    card.text((256, 40), "one face, no prompt", 24)
    card.panel(around_face(draw_faces(image, faces)), (24, 114, 174, 264), "who")
    card.arrow(186, 189)
    for i in range(4):
        left, top = 236 + i % 2 * 130, 72 + i // 2 * 130
        card.drawn(made[i], (left, top, left + 118, top + 118))
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
    drawn, image = of_person(image, "arc2face_expression", 2)
    faces, card = select(detect(models, image)), Card()
    card.text((256, 34), "this face, that expression", 24)
    card.panel(around_face(draw_faces(image, faces)), (16, 70, 146, 200), "who")
    mirrored = instead(drawn, "truth_2", image.flip(2), MIRRORED)
    mesh = mesh_picture(mirrored, select(detect(models, mirrored)))
    card.panel(mesh[:, 20:300, 148:428], (16, 230, 146, 360))
    card.text((230, 262), "55 numbers", 15, DIM)
    card.arrow(158, 295, 190)
    card.arrow(158, 135, 190)
    card.drawn(drawn, (394, 100, 496, 270), "Arc2Face")
    card.save("arc2face_expression")


def two_into(
    models: FaceModels,
    image: torch.Tensor,
    title: str,
    method: str,
    second: torch.Tensor | None,
    word: tuple[int, str],
    drawn: torch.Tensor | None,
    label: str = "",
) -> Card:
    """The face and a second thing, both into a method. word: beside the second arrow, and where. drawn: what
    came of it."""
    faces, card = select(detect(models, image)), Card()
    card.text((256, 34), title, 24)
    card.panel(around_face(draw_faces(image, faces)), (16, 70, 146, 200))
    card.panel(second, (16, 224, 146, 354), label)
    card.text((word[0], 255), word[1], 15, DIM)
    card.arrow(158, 135, 160)
    card.arrow(158, 289, 160)
    card.drawn(drawn, (346, 104, 496, 294), method)
    return card


def arc2face_reference(models: FaceModels, image: torch.Tensor) -> None:
    drawn, image = of_person(image, "arc2face_reference")
    second = instead(drawn, "stranger_0", image)
    card = two_into(models, image, "hair, clothes and light, too", "Arc2Face", second, (200, "looks"), drawn)
    card.text((200, 100), "who", 15, DIM)
    card.save("arc2face_reference")


def arc2face_pose(models: FaceModels, image: torch.Tensor) -> None:
    title = "a face, posed by a normal map"
    card = two_into(models, image, title, "Arc2Face", ball(), (205, "normals"), None)
    card.save("arc2face_pose")


def freecure_any_adapter(models: FaceModels, image: torch.Tensor) -> None:
    title = "hair and glasses, after any adapter"
    drawn, image = of_person(image, "freecure", 1)
    without = None if drawn is None else result("sdxl", 1)
    card = two_into(models, image, title, "FreeCure", without, (205, "mask"), drawn, "without her")
    card.save("freecure_any_adapter")


def freecure(
    models: FaceModels,
    image: torch.Tensor,
    name: str,
    title: str,
    steps: list[tuple[str, str]],
    number: int,
) -> None:
    """steps: words, and the row of the report that draws it, if one does. number: of the demo's wish."""
    drawn, image = of_person(image, steps[-1][1], number)
    faces, card = select(detect(models, image)), Card()
    card.text((256, 34), title, 24)
    card.panel(around_face(draw_faces(image, faces)), (16, 120, 126, 230), "who")
    for place, (step, row) in enumerate(steps):
        left, right = 172 + place * 336 // len(steps), 132 + (place + 1) * 336 // len(steps)
        card.arrow(left - 34, 175, 16)
        card.drawn(None if drawn is None else result(row, number), (left, 110, right, 240), step)
    card.save(name)


def pva(models: FaceModels, image: torch.Tensor, name: str, title: str, words: str, row: str) -> None:
    """The person as PVA's encoder is shown them, a picture with its hole, and what is to come."""
    drawn, image = of_person(image, row, 2)
    (face,), card = select(detect(models, image)).faces[0], Card()
    mirrored = instead(drawn, "stranger_2", image.flip(2), MIRRORED)
    hole = holes(mirrored, "whole face")[..., None]
    card.text((256, 34), title, 24)
    card.panel(align_ffhq(image[0], face.keypoints, 256)[None], (16, 70, 146, 200), "who")
    card.panel((mirrored * (1 - hole) + 0.5 * hole)[:, 20:300, 148:428], (16, 230, 146, 360))
    card.text((205, 262), "hole", 15, DIM)
    card.arrow(158, 135, 160)
    card.arrow(158, 295, 160)
    card.drawn(drawn, (346, 104, 496, 294), words, "SD2")
    card.save(name)


def pva_convert() -> None:
    card = Card()
    card.text((256, 110), "a PVA file", 24)
    card.text((140, 210), "FPIP.bin", 26)
    card.arrow(214, 210, 40)
    card.text((378, 210), ".safetensors", 26)
    card.text((378, 246), "half the size", 15, DIM)
    card.save("pva_convert")
