"""The face parser learns the labels of true pictures, and of some through the autoencoder: it parses both."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch.nn import functional

from likeness.faces.labels import NAMES
from training.chance import generator

from ...networks import autoencoder
from ...networks.parser import Parser
from ..decoded import decoded, mixed
from ..muon import Muon
from ..pictures import Album, album, held_back
from ..stages import Rooms, Scale, Tensors

#: So many pictures are decoded once, and so many are measured on.
_DECODED, _MEASURED = 256, 100
#: What FreeCure takes from the foundation.
_TAKEN = ("glasses", "hair", "hat")


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> ParserLesson:
    return ParserLesson(scale, seed, rooms, autoencoder.load(made["autoencoder"]))


class ParserLesson:
    def __init__(self, scale: Scale, seed: int, rooms: Rooms, decoder: autoencoder.Autoencoder) -> None:
        self.scale, self.seed, self.rooms, self.decoder = scale, seed, rooms, decoder
        self.pictures = album(rooms.cache, "train", scale.pictures, 4, 32)
        self.decoded = decoded(decoder, self.pictures, torch.arange(min(_DECODED, len(self.pictures) // 8)))
        self.weights = _weights(self.pictures)
        self.network = Parser(seed)
        ends = ("conv_out.conv_out.", "cp.resnet.layer1.0.conv1.")
        self.optimiser = Muon(
            list(self.network.learnt().items()),
            rate=0.01,
            plain_rate=2e-3,
            plain=lambda name: name.startswith(ends),
        )

    def trained(self) -> Mapping[str, torch.Tensor]:
        return self.network.learnt()

    def step(self, number: int) -> float:
        source = generator("pictures", self.seed, number)
        places, pictures = mixed(self.pictures, self.decoded, self.scale.batch, source)
        truth = _labels(self.pictures, places)
        loss = functional.cross_entropy(self.network.scores(pictures), truth, self.weights)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        unseen = held_back(self.rooms.cache, self.scale.pictures)
        places = torch.arange(min(_MEASURED, len(unseen) // 4))
        through = decoded(self.decoder, unseen, places).float() / 255
        figures: dict[str, float] = {}
        for kind, pictures in (("true", unseen.batch(places)), ("decoded", through)):
            scores = overlaps(self.network, pictures, _labels(unseen, places))
            figures |= {f"{kind}_{name}": score for name, score in scores.items()}
        return {name: tensor.detach().clone() for name, tensor in self.network.learnt().items()}, figures


def _labels(pictures: Album, places: torch.Tensor) -> torch.Tensor:
    """int64 [n, S, S]."""
    return torch.from_numpy(np.stack([pictures.labels[int(place)] for place in places])).long()


def _weights(pictures: Album) -> torch.Tensor:
    """[19]: what is seldom or small counts more, but not as much more as it is seldom."""
    some = _labels(pictures, torch.arange(0, len(pictures), max(1, len(pictures) // 256)))
    seen = some.flatten().bincount(minlength=len(NAMES)).float()
    weights = (seen / seen.sum()).clamp(min=1e-4).rsqrt()
    return weights / (weights * seen).sum() * seen.sum()


@torch.no_grad()
def overlaps(network: Parser, pictures: torch.Tensor, truth: torch.Tensor) -> dict[str, float]:
    """Intersection over union of what is found and true: the mean over the classes there are, and of some."""
    found = torch.cat([network.scores(some).argmax(1) for some in pictures.split(8)])
    count = len(NAMES)
    table = (truth * count + found).flatten().bincount(minlength=count**2).reshape(count, count).double()
    both, there = table.diag(), table.sum(1) > 0
    parts = both / (table.sum(0) + table.sum(1) - both).clamp(min=1)
    named = {name: parts[NAMES.index(name)] for name in _TAKEN if there[NAMES.index(name)]}
    return {name: round(float(part), 4) for name, part in {"mean": parts[there].mean(), **named}.items()}
