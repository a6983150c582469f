"""A scene's picture, with the label of each pixel and each figure's five points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from . import dress, features, hair
from .canvas import EMPTY, FINER, Canvas, Frame
from .head import Head, head_of
from .scene import Figure, Scene
from .shading import shade

#: What the background's words look like.
_BACKGROUNDS = {
    "grey": (158, 160, 164),
    "blue": (108, 156, 214),
    "green": (112, 178, 128),
    "yellow": (240, 206, 110),
    "pink": (236, 158, 180),
}


@dataclass(frozen=True)
class Drawing:
    """picture: uint8 [H, W, 3] RGB. labels: uint8 [H, W], the classes of likeness.faces.labels.

    points: float32 [figures, 5, 2] in pixels, whose centres have whole numbers: the eye at the picture's left
    and the other, the nose's tip, the corners of the mouth from the left.
    """

    picture: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    points: NDArray[np.float32]


def draw(scene: Scene | Figure, size: int | tuple[int, int] = 128) -> Drawing:
    """size: of a square, or (height, width); from 16 up. The same scene gives the same picture."""
    figures = scene.figures if isinstance(scene, Scene) else (scene,)
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 16:
        raise ValueError(f"A picture needs at least 16 x 16 pixels, not {width} x {height}.")
    large = height * FINER, width * FINER
    first = figures[0].attributes
    colours = _background(first.background, first.light, large)
    labels = np.zeros(large, dtype=np.uint8)
    points = []
    for figure in figures:
        canvas = Canvas(colours, Frame(figure.pose, large))
        head = head_of(figure.person, figure.expression)
        _paint(canvas, figure, head, first.light)
        np.copyto(labels, canvas.mine, where=canvas.mine != EMPTY)
        points.append(_points(canvas.frame, head))
    picture = cv2.resize(colours, (width, height), interpolation=cv2.INTER_AREA)
    return Drawing(
        picture, np.ascontiguousarray(labels[::FINER, ::FINER]), np.stack(points).astype(np.float32)
    )


def _paint(canvas: Canvas, figure: Figure, head: Head, light: float) -> None:
    """From the back to the front; the light before what would lose its edge in it."""
    attributes = figure.attributes
    colour = hair.COLOURS[attributes.hair_colour]
    dress.paint_body(canvas)
    hair.paint_back(canvas, head, attributes.hair_style, colour)
    dress.paint_neck(canvas, head)
    if attributes.hair_style not in ("long", "bob"):
        features.paint_ears(canvas, head)
    features.paint_skin(canvas, head)
    features.paint_marks(canvas, head)
    if attributes.beard:
        hair.paint_beard(canvas, head, colour)
    features.paint_nose(canvas, head)
    features.paint_eyes(canvas, head)
    features.paint_mouth(canvas, head)
    features.paint_brows(canvas, head, hair.brow_colour(colour))
    hair.paint_front(canvas, head, attributes.hair_style, colour)
    if attributes.hat:
        dress.paint_hat(canvas, head, attributes.hat)
    shade(canvas, head, light)
    if not attributes.hat:
        hair.paint_shine(canvas, head, attributes.hair_style, colour)
    if attributes.glasses:
        dress.paint_glasses(canvas, head, attributes.glasses)


def _points(frame: Frame, head: Head) -> NDArray[np.float64]:
    eyes = np.array([eye.middle for eye in head.eyes])
    placed = [
        frame.seen(eyes),
        frame.seen(np.array([(0.0, head.nose[1] - 0.04)]), 0.8 * features.NOSE_OVER),
        frame.seen(head.corners, 0.06),
    ]
    return (frame.pixels(np.concatenate(placed)) + 0.5) / FINER - 0.5


def _background(word: str, light: float, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Lighter at the side of the light."""
    small = np.rint(_gradient()[..., None] * _BACKGROUNDS[word])
    small = small * (1 + 0.12 * light * np.linspace(-1, 1, 32))[None, :, None]
    smooth = cv2.resize(small.clip(0, 255).astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.rint(smooth).astype(np.uint8)


@lru_cache(maxsize=1)
def _gradient() -> NDArray[np.float64]:
    at = np.linspace(-1, 1, 32)
    x, y = np.meshgrid(at, at)
    return 1.08 - 0.16 * np.sqrt(x**2 + (y + 0.2) ** 2)
