"""Who latents show, and what the face does: read from them as they are, for a tenth of what decoding and
recognising costs."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from likeness.faces.align import TEMPLATE, similarity

from .classifier import EXPRESSION
from .recognisers import WIDTH, Residual

#: Places across the crop, and how large the face is against ArcFace's: with chin and ears.
_ACROSS, _PART = 20, 0.72
_PATCH = 8


class Reader(nn.Module):
    """Latents [n, 4, H, W] and five points [n, 5, 2] in pixels -> [n, 512], length 1, as the recogniser's."""

    numbers = WIDTH

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(4, 48, 3, padding=1), nn.ReLU(), Residual(48)),
            *(nn.Conv2d(48, 64, 3, stride=2, padding=1), nn.ReLU(), Residual(64)),
            *(nn.Conv2d(64, 96, 3, stride=2, padding=1), nn.ReLU(), Residual(96)),
            *(nn.Conv2d(96, 32, 1), nn.ReLU(), nn.Flatten()),
        )
        self.embed = nn.Linear(32 * (_ACROSS // 4) ** 2, self.numbers)

    def read(self, latents: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.embed(self.body(cropped(latents, points)))
        return found

    def forward(self, latents: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        return functional.normalize(self.read(latents, points), dim=1)


class ExpressionReader(Reader):
    """The same -> [n, 5], the numbers of an expression."""

    numbers = len(EXPRESSION)

    def forward(self, latents: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        return self.read(latents, points)


def cropped(latents: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """[n, C, H, W] -> [n, C, 20, 20] around the faces."""
    place = ((TEMPLATE - 56) * _PART + 56) * (_ACROSS / 112)
    ahead = torch.stack([similarity(face / _PATCH, place) for face in points]).float()  # [n, 2, 3]
    steps = torch.arange(_ACROSS, dtype=torch.float32) + 0.5
    wanted = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1).reshape(1, -1, 2)
    seen = (wanted - ahead[:, None, :, 2]) @ torch.linalg.inv(ahead[:, :, :2]).mT
    sides = torch.tensor([latents.shape[3], latents.shape[2]])
    grid = (2 * seen / sides - 1).reshape(-1, _ACROSS, _ACROSS, 2)
    return functional.grid_sample(latents, grid, padding_mode="border", align_corners=False)


def load(tensors: Mapping[str, torch.Tensor], expressions: bool = False) -> Reader:
    made = ExpressionReader() if expressions else Reader()
    made.load_state_dict(dict(tensors))
    return made.eval().requires_grad_(False)
