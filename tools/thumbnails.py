"""Write workflows/*.jpg: what each workflow does, in pictures the pack made of a public domain photo.

`python -m tools.thumbnails`. No generated picture is shown: where one would be stands an empty frame.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from installer.paths import shared_models
from likeness.faces.choose import select
from likeness.faces.detect import detect
from likeness.faces.draw import draw_faces
from likeness.faces.embed import identify
from likeness.faces.keypoints import keypoint_images
from likeness.faces.masks import face_masks
from likeness.faces.mesh import landmarks
from likeness.faces.models import FaceModels
from likeness.faces.pixels import rgb8
from likeness.values import Faces

from .ui_workflow import WORKFLOWS

SIZE = (512, 384)
BACKGROUND, FRAME, INK, DIM = (24, 26, 31), (92, 98, 112), (236, 238, 242), (150, 156, 170)
LEFT, RIGHT = (38, 66, 92), (92, 66, 38)
Box = tuple[int, int, int, int]


def photo() -> torch.Tensor:
    """NASA's portrait of an astronaut, [1, 512, 512, 3], 0 to 1."""
    from skimage.data import astronaut

    return torch.from_numpy(astronaut())[None].float() / 255


class Card:
    """A thumbnail in the making."""

    def __init__(self) -> None:
        self.picture = Image.new("RGB", SIZE, BACKGROUND)
        self.draw = ImageDraw.Draw(self.picture)

    def panel(self, image: torch.Tensor | None, box: Box, label: str = "") -> None:
        """An IMAGE filled into box (left, top, right, bottom), or an empty frame; label below."""
        left, top, right, bottom = box
        if image is not None:
            picture = Image.fromarray((image[0].numpy() * 255).round().astype(np.uint8))
            self.picture.paste(_cover(picture, (right - left, bottom - top)), (left, top))
        self.draw.rectangle(box, outline=FRAME, width=1)
        if label:
            self.text(((left + right) // 2, bottom + 16), label, 15, DIM)

    def text(self, centre: tuple[int, int], text: str, size: int, colour: Any = INK) -> None:
        self.draw.text(centre, text, fill=colour, anchor="mm", font=ImageFont.load_default(size))

    def arrow(self, x: int, y: int, length: int = 26) -> None:
        self.draw.line((x, y, x + length, y), fill=INK, width=3)
        self.draw.polygon([(x + length + 6, y), (x + length - 4, y - 7), (x + length - 4, y + 7)], fill=INK)

    def save(self, name: str) -> None:
        self.picture.save(WORKFLOWS / f"{name}.jpg", quality=88)


def _cover(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    scale = max(size[0] / picture.width, size[1] / picture.height)
    large = picture.resize(
        (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS
    )
    left, top = (large.width - size[0]) // 2, (large.height - size[1]) // 2
    return large.crop((left, top, left + size[0], top + size[1]))


def around_face(image: torch.Tensor) -> torch.Tensor:
    return image[:, 20:300, 84:364]


def inspect(models: FaceModels, image: torch.Tensor) -> None:
    faces, card = detect(models, image), Card()
    mask = face_masks(faces, "hull", 8, 12)[..., None].expand(-1, -1, -1, 3)
    card.text((256, 40), "every face, numbered", 24)
    drawn = draw_faces(image, faces)
    for i, (picture, label) in enumerate(
        ((drawn, "faces"), (keypoint_images(faces), "keypoints"), (mask, "mask"))
    ):
        left = 16 + i * 164
        card.panel(around_face(picture), (left, 96, left + 152, 296), label)
    card.save("faces_inspect")


def basic(models: FaceModels, image: torch.Tensor) -> None:
    faces, card = select(detect(models, image)), Card()
    card.text((256, 40), "one photo, one person", 24)
    card.panel(around_face(draw_faces(image, faces)), (16, 104, 156, 284), "who")
    card.arrow(163, 194, 16)
    card.panel(around_face(keypoint_images(faces)), (192, 104, 332, 284), "where")
    card.arrow(339, 194, 16)
    card.panel(None, (368, 104, 496, 284), "your prompt")
    card.text((432, 194), "SDXL", 22, DIM)
    card.save("instantid_basic")


def pose(models: FaceModels, image: torch.Tensor) -> None:
    mirrored = image.flip(2)
    faces, other, card = detect(models, image), detect(models, mirrored), Card()
    card.text((256, 34), "this face, that pose", 24)
    card.panel(around_face(draw_faces(image, faces)), (16, 70, 146, 200))
    card.panel(mirrored, (16, 224, 146, 354))
    card.arrow(153, 135, 190)
    card.arrow(153, 289, 16)
    card.panel(keypoint_images(other, 896, 1152, "crop"), (184, 192, 310, 354))
    card.arrow(318, 250, 25)
    card.panel(None, (362, 104, 496, 276), "your prompt")
    card.text((429, 190), "SDXL", 22, DIM)
    card.save("instantid_pose")


def two_people(models: FaceModels, image: torch.Tensor) -> None:
    card = Card()
    card.text((256, 34), "two people, a half for each", 24)
    for i, (tint, side, label) in enumerate(
        ((LEFT, image, "left person"), (RIGHT, image.flip(2), "right person"))
    ):
        drawn = keypoint_images(detect(models, side), 640, 960, "crop")
        shown = torch.where(drawn.amax(-1, keepdim=True) > 0, drawn, torch.tensor(tint) / 255)
        card.panel(shown, (86 + i * 170, 72, 256 + i * 170, 327), label)
    card.save("instantid_two_people")


def reuse(models: FaceModels, image: torch.Tensor) -> None:
    """An identity as it is: 512 numbers, one cell each."""
    card = Card()
    card.text((256, 40), "a saved person, no photo", 24)
    card.panel(cells(vector_of(models, image)), (64, 78, 192, 334), "512 numbers")
    card.arrow(210, 206, 60)
    card.panel(None, (300, 120, 456, 292), "your prompt")
    card.text((378, 206), "SDXL", 22, DIM)
    card.save("identity_reuse")


def vector_of(models: FaceModels, image: torch.Tensor) -> torch.Tensor:
    return identify(models, select(detect(models, image)), "sface", "mean").embeddings[0]


def cells(vector: torch.Tensor) -> torch.Tensor:
    """512 numbers as 32 x 16 coloured cells, [1, 256, 128, 3]."""
    level = (vector / vector.abs().max() * 0.5 + 0.5).reshape(1, 32, 16, 1)
    cold, warm = torch.tensor((40, 90, 150)) / 255, torch.tensor((240, 170, 80)) / 255
    return (cold * (1 - level) + warm * level).repeat_interleave(8, 1).repeat_interleave(8, 2)


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


def arc2face_reference(models: FaceModels, image: torch.Tensor) -> None:
    faces, card = select(detect(models, image)), Card()
    card.text((256, 34), "hair, clothes and light, too", 24)
    card.panel(around_face(draw_faces(image, faces)), (16, 70, 146, 200))
    card.text((200, 100), "who", 15, DIM)
    card.panel(image, (16, 224, 146, 354))
    card.text((200, 255), "looks", 15, DIM)
    card.arrow(158, 135, 160)
    card.arrow(158, 289, 160)
    card.panel(None, (346, 104, 496, 294), "Arc2Face")
    card.save("arc2face_reference")


def arc2face_pose(models: FaceModels, image: torch.Tensor) -> None:
    faces, card = select(detect(models, image)), Card()
    card.text((256, 34), "a face, posed by a normal map", 24)
    card.panel(around_face(draw_faces(image, faces)), (16, 70, 146, 200))
    card.panel(ball(), (16, 224, 146, 354))
    card.text((205, 255), "normals", 15, DIM)
    card.arrow(158, 135, 160)
    card.arrow(158, 289, 160)
    card.panel(None, (346, 104, 496, 294), "Arc2Face")
    card.save("arc2face_pose")


def freecure_any_adapter(models: FaceModels, image: torch.Tensor) -> None:
    faces, card = select(detect(models, image)), Card()
    card.text((256, 34), "hair and glasses, after any adapter", 24)
    card.panel(around_face(draw_faces(image, faces)), (16, 70, 146, 200))
    card.panel(None, (16, 224, 146, 354), "without her")
    card.text((205, 255), "mask", 15, DIM)
    card.arrow(158, 135, 160)
    card.arrow(158, 289, 160)
    card.panel(None, (346, 104, 496, 294), "FreeCure")
    card.save("freecure_any_adapter")


def freecure(models: FaceModels, image: torch.Tensor, name: str, title: str, steps: list[str]) -> None:
    faces, card = select(detect(models, image)), Card()
    card.text((256, 34), title, 24)
    card.panel(around_face(draw_faces(image, faces)), (16, 120, 126, 230), "who")
    for place, step in enumerate(steps):
        left = 176 + place * 336 // len(steps)
        card.arrow(left - 42, 175, 24)
        card.panel(None, (left, 110, left + 280 // len(steps), 240), step)
    card.save(name)


def mesh_picture(image: torch.Tensor, faces: Faces) -> torch.Tensor:
    """The 468 points of the first face, as dots on the darkened photo."""
    shown = image.clone() * 0.45
    points = landmarks(torch.from_numpy(rgb8(image, 0)), faces.faces[0][0])
    for x, y in points[:, :2].round().long().tolist():
        shown[0, y - 1 : y + 1, x - 1 : x + 1] = torch.tensor((0.55, 0.85, 1.0))
    return shown


def ball(size: int = 260) -> torch.Tensor:
    """A normal map of a ball: directions as colours on mid-grey."""
    y, x = torch.meshgrid(*[torch.linspace(-1.25, 1.25, size)] * 2, indexing="ij")
    z = (1 - x**2 - y**2).clamp(min=0).sqrt()
    return (torch.stack([x, -y, z], -1) * (z > 0)[..., None] * 0.5 + 0.5)[None]


def main() -> None:
    models = FaceModels.open("embedded", "CPU", [shared_models() / "insightface"])
    image = photo()
    arc2face = (arc2face_basic, arc2face_mix, arc2face_expression, arc2face_reference, arc2face_pose)
    for make in (inspect, basic, pose, two_people, reuse, *arc2face, freecure_any_adapter):
        make(models, image)
    three = ["without her", "hair, glasses", "repaired"]
    freecure(models, image, "freecure_instantid", "hair and glasses, given back", three)
    freecure(models, image, "freecure_expression", "then the expression", ["repaired", "template", "target"])


if __name__ == "__main__":
    main()
