"""Who it is: two networks of different make, one to condition with and one to judge by."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from ..world.people import NUMBERS

WIDTH = 512


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.GroupNorm(8, width)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.second(torch.relu(self.norm(self.first(x)))))


class Recogniser(nn.Module):
    """ReLU, residual blocks, 56 pixels. Input [n, 3, 112, 112] -1..1 as ArcFace's; output [n, 512], length
    1. widths: of its convolutions; last: channels of which the vector is made."""

    def __init__(self, widths: tuple[int, ...] = (24, 32, 64, 96), last: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.AvgPool2d(2), nn.Conv2d(3, widths[0], 3, padding=1), nn.ReLU()]
        for inside, outside in pairwise(widths):
            layers += [nn.Conv2d(inside, outside, 3, stride=2, padding=1), nn.ReLU(), Residual(outside)]
        self.body = nn.Sequential(*layers, nn.Conv2d(widths[-1], last, 1), nn.ReLU(), nn.Flatten())
        self.embed = nn.Linear(last * 7 * 7, WIDTH)
        self.numbers = nn.Linear(WIDTH, len(NUMBERS))

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return functional.normalize(self.embed(self.body(crops)), dim=1)


def second() -> Recogniser:
    """Another of its kind, for nodes that judge."""
    return Recogniser((16, 32, 48, 64), last=12)


class Judge(nn.Module):
    """SiLU, plain 5 x 5 kernels, pooling, 72 pixels with chin and ears. Output [n, 192] of length 1."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 16, 32, 48, 64)
        layers: list[nn.Module] = []
        for inside, outside in pairwise(widths):
            layers += [nn.Conv2d(inside, outside, 5, padding=2), nn.GroupNorm(4, outside), nn.SiLU()]
            layers += [nn.AvgPool2d(2)] if outside < 64 else []
        self.body = nn.Sequential(*layers, nn.Conv2d(64, 24, 1), nn.SiLU(), nn.Flatten())
        self.embed = nn.Sequential(nn.Linear(24 * 9 * 9, 256), nn.SiLU(), nn.Linear(256, 192))
        self.numbers = nn.Linear(192, len(NUMBERS))

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return functional.normalize(self.embed(self.body(crops)), dim=1)


def load(tensors: Mapping[str, torch.Tensor], judge: bool = False) -> Recogniser | Judge:
    made: Recogniser | Judge = Judge() if judge else Recogniser()
    made.load_state_dict(dict(tensors))
    return made.eval().requires_grad_(False)
