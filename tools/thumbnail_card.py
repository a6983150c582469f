"""A thumbnail in the making, and what is drawn on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from likeness.faces.mesh import landmarks
from likeness.faces.pixels import rgb8
from likeness.values import Faces

from .ui_workflow import WORKFLOWS

SIZE = (512, 384)
BACKGROUND, FRAME, INK, DIM = (24, 26, 31), (92, 98, 112), (236, 238, 242), (150, 156, 170)
LEFT, RIGHT = (38, 66, 92), (92, 66, 38)
_LABEL = (176, 84, 0)
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

    def drawn(self, image: torch.Tensor | None, box: Box, label: str = "", placeholder: str = "") -> None:
        """A picture labelled as of the drawn world; without one an empty frame with the placeholder."""
        self.panel(image, box, label)
        left, top, right, bottom = box
        middle = (left + right) // 2
        if image is None:
            self.text((middle, (top + bottom) // 2), placeholder, 22, DIM)
            return
        self.draw.rectangle((left + 1, bottom - 17, right - 1, bottom - 1), fill=_LABEL)
        self.text((middle, bottom - 9), "drawn world", 12)

    def text(self, centre: tuple[int, int], text: str, size: int, colour: Any = INK) -> None:
        self.draw.text(centre, text, fill=colour, anchor="mm", font=self.font(size))

    @staticmethod
    def font(size: int) -> Any:
        return ImageFont.load_default(size)

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


def cells(vector: torch.Tensor, columns: int = 16) -> torch.Tensor:
    """Numbers as coloured cells of 8 x 8, so many in a row: 512 are [1, 256, 128, 3]."""
    level = (vector / vector.abs().max() * 0.5 + 0.5).reshape(1, -1, columns, 1)
    cold, warm = torch.tensor((40, 90, 150)) / 255, torch.tensor((240, 170, 80)) / 255
    return (cold * (1 - level) + warm * level).repeat_interleave(8, 1).repeat_interleave(8, 2)
