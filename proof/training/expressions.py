"""Drawn faces as our node cuts them out to read an expression, and what a reader says of them."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from likeness.expressions.crop import SIZE as SIDE
from likeness.expressions.smirk import limit

from ..networks import smirk
from ..networks.classifier import EXPRESSION
from ..world.canvas import FINER, Frame
from ..world.head import head_of
from ..world.scene import Figure
from .pictures import SIZE, Album

#: The square around the mesh against the drawn outline's extent: how large, how far down; measured on 60
#: drawn faces, as is how far off that is, in parts of the extent.
_LARGE, _DOWN, _OFF = 1.4 * 0.845, 0.119, (0.05, 0.02)


def square_of(figure: Figure) -> NDArray[np.float64]:
    """[3]: the middle of what the node looks at, x and y in pixels, and its side, about."""
    head, frame = head_of(figure.person, figure.expression), Frame(figure.pose, (SIZE * FINER,) * 2)
    edge = (frame.pixels(frame.behind(head.outline)) + 0.5) / FINER - 0.5
    low, high = edge.min(0), edge.max(0)
    extent = float((high - low).mean())
    return np.array([*((low + high) / 2 + (0, _DOWN * extent)), _LARGE * extent])


def crops(pictures: Album, places: torch.Tensor, seed: int) -> torch.Tensor:
    """[n, 3, 112, 112] 0..1, blue first, as SMIRK sees them at half the size."""
    chance = np.random.default_rng(seed)
    half = SIDE // 2
    made = np.empty((len(places), half, half, 3), np.uint8)
    for row, place in enumerate(places.tolist()):
        x, y, side = square_of(pictures.figures(place))
        x, y = np.array([x, y]) + chance.normal(0, _OFF[1] * side, 2)
        side = side * (1 + float(np.clip(chance.normal(0, _OFF[0]), -0.15, 0.15)))
        step = 2 * side / (SIDE - 1)  # the corners of the whole square are the centres of its corner pixels
        first = np.array([x, y]) - side / 2 + step / 4
        matrix = np.array([[step, 0, first[0]], [0, step, first[1]]])
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        made[row] = cv2.warpAffine(pictures.pictures[place], matrix, (half, half), flags=how)
    return torch.from_numpy(made[..., ::-1].copy()).movedim(-1, 1).float().div_(255)


def truths(pictures: Album, places: torch.Tensor) -> torch.Tensor:
    """float32 [n, 5]: the numbers of their expressions."""
    shown = (pictures.figures(place).expression for place in places.tolist())
    return torch.tensor([[float(getattr(one, name)) for name in EXPRESSION] for one in shown])


def errors(found: torch.Tensor, truth: torch.Tensor) -> dict[str, float]:
    """Of numbers read [n, 5]: the mean error of each, of all, and of saying the mean of all."""
    mean = (found - truth).abs().mean(0)
    figures = {f"error_{name}": float(error) for name, error in zip(EXPRESSION, mean, strict=True)}
    return figures | {"error": float(mean.mean()), "error_blind": float((truth - truth.mean(0)).abs().mean())}


@torch.no_grad()
def read(pictures: Album, places: torch.Tensor, reader: smirk.Reader) -> torch.Tensor:
    """float32 [n, 55]: FLAME parameters as our node reads them."""
    parts = [reader(crops(pictures, some, int(some[0]))) for some in places.split(32)]
    return limit(torch.cat(parts) @ smirk.mixture().T)
