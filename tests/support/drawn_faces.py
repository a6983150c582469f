"""Faces without a photo: points and boxes where a test wants them, and pictures to measure on."""

from __future__ import annotations

import math

import torch

from likeness.values import Face

#: Eyes, nose and mouth corners of an upright face around (0, 0), 100 pixels high.
POINTS = torch.tensor([[-18.0, -12], [18, -12], [0, 6], [-14, 24], [14, 24]])


def turned(points: torch.Tensor, degrees: float, centre: tuple[float, float]) -> torch.Tensor:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return points @ torch.tensor([[cos, sin], [-sin, cos]]) + torch.tensor(centre)


def face(x: float, y: float, high: float = 100, degrees: float = 0) -> Face:
    half = high / 2
    box = torch.tensor([x - 0.8 * half, y - half, x + 0.8 * half, y + half])
    return Face(box, turned(POINTS * high / 100, degrees, (x - 0.5, y - 0.5)))


def disc(height: int, width: int, x: float, y: float, radius: float) -> torch.Tensor:
    """[1, H, W, 3], 1 inside; the place counts pixel edges."""
    at_x, at_y = torch.arange(width) + 0.5 - x, torch.arange(height) + 0.5 - y
    away = (at_x[None, :] ** 2 + at_y[:, None] ** 2).sqrt()
    return (radius + 0.5 - away).clamp(0, 1)[None, ..., None].expand(-1, -1, -1, 3).contiguous()


def centre_of(picture: torch.Tensor) -> list[float]:
    """Centre of gravity (x, y) of a picture [H, W], pixel edges counted."""
    part = picture / picture.sum()
    x = (part.sum(dim=0) * (torch.arange(picture.shape[1]) + 0.5)).sum()
    y = (part.sum(dim=1) * (torch.arange(picture.shape[0]) + 0.5)).sum()
    return [float(x), float(y)]


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))
