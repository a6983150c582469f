"""What is to be seen in a picture: attributes as a caption says them, and the expression as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import nn

from ..world.captions import Said
from ..world.scene import BACKGROUNDS, GLASSES, HAIR_COLOURS, HAIR_STYLES, HATS, Figure

#: What it tells apart, and between which.
HEADS: dict[str, tuple[str | bool | int, ...]] = {
    "hair_style": HAIR_STYLES,
    "hair_colour": HAIR_COLOURS,
    "glasses": GLASSES,
    "hat": HATS,
    "beard": (False, True),
    "background": BACKGROUNDS,
    "mood": (-1, 0, 1),
    "mouth": (-1, 0, 1),
}
EXPRESSION = ("smile", "open", "brows", "lids", "gaze")


class Classifier(nn.Module):
    """Whole pictures [n, 3, 128, 128] 0..1 -> {head: logits} and "expression" [n, 5]."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 16, 32, 48, 64)
        layers: list[nn.Module] = []
        for inside, outside in pairwise(widths):
            layers += [nn.Conv2d(inside, outside, 3, stride=2, padding=1), nn.ReLU()]
            layers += [nn.Conv2d(outside, outside, 3, padding=1), nn.GroupNorm(8, outside), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.Conv2d(64, 24, 1), nn.ReLU(), nn.Flatten())
        self.hidden = nn.Sequential(nn.Linear(24 * 8 * 8, 192), nn.ReLU())
        self.heads = nn.ModuleDict({name: nn.Linear(192, len(words)) for name, words in HEADS.items()})
        self.expression = nn.Linear(192, len(EXPRESSION))

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        hidden = self.hidden(self.body(pictures * 2 - 1))
        result = {name: head(hidden) for name, head in self.heads.items()}
        return result | {"expression": self.expression(hidden)}


def load(tensors: Mapping[str, torch.Tensor]) -> Classifier:
    made = Classifier()
    made.load_state_dict(dict(tensors))
    return made.eval().requires_grad_(False)


def targets(figure: Figure, said: Said) -> tuple[list[int], list[float]]:
    """The right choice of each head, and the expression."""
    choices = [words.index(getattr(said, name)) for name, words in HEADS.items()]
    return choices, [float(getattr(figure.expression, name)) for name in EXPRESSION]
