"""A CLIP vision model learns what a face does: its layers, on patches that are seen by hand.

Published ones know what a picture shows before an adapter is trained on what they say. Of what this one says
without that, the best linear reading finds 42 % of what a face does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from training.chance import generator

from ...networks import start as beginnings
from ...networks import vision
from ...networks.classifier import EXPRESSION
from ...packing import as_read
from ..expressions import errors, truths
from ..muon import Muon
from ..pictures import album, held_back
from ..stages import Rooms, Scale, Tensors, stage
from ..templates import patches_of
from .frozen import EACH

#: Of the names of what reads its features while it learns.
_READING = "reading."
#: In what it is shown, where each number is about 1: 12,000 templates are soon known by heart.
_NOISE = 0.1


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> VisionLesson:
    return VisionLesson(scale, seed, rooms)


class VisionLesson:
    def __init__(self, scale: Scale, seed: int, rooms: Rooms) -> None:
        self.scale, self.seed, self.rooms = scale, seed, rooms
        self.pictures = album(rooms.cache, "train", scale.pictures, EACH, 32)
        self.patches = patches_of(self.pictures, rooms.cache, "train")
        self.truths = truths(self.pictures, torch.arange(len(self.pictures)))
        self.network = vision.network()
        self.learnt = vision.layers(self.network)
        self.reading = nn.Linear(vision.WIDTH, len(EXPRESSION))
        beginnings.start(self.reading, seed)
        self._start()
        named = [*self.learnt.items(), *self._reading().items()]
        self.optimiser = Muon(named, rate=0.01, plain_rate=2e-3, plain=lambda name: _READING in name)

    @torch.no_grad()
    def _start(self) -> None:
        """By chance, but that each layer begins as changing nothing."""
        source = torch.Generator().manual_seed(self.seed)
        for name, one in self.learnt.items():
            one.requires_grad_(True)
            if one.ndim > 1 and not name.endswith(("out_proj.weight", "fc2.weight")):
                one.normal_(0, vision.WIDTH**-0.5, generator=source)

    def _reading(self) -> dict[str, nn.Parameter]:
        return {f"{_READING}{name}": one for name, one in self.reading.named_parameters()}

    def trained(self) -> Mapping[str, torch.Tensor]:
        return {**self.learnt, **self._reading()}

    def step(self, place: int) -> float:
        source = generator("templates", self.seed, place)
        places = torch.randint(self.scale.pictures, (self.scale.batch,), generator=source)
        seen = self.patches[places].float()
        seen = seen + _NOISE * torch.randn(seen.shape, generator=source)
        loss = functional.mse_loss(self.told(self.network, seen), self.truths[places])
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    def told(self, network: Any, patches: torch.Tensor) -> torch.Tensor:
        """[n, 5] of patches before any layer."""
        found: torch.Tensor = self.reading(vision.from_patches(network, patches).mean(dim=1))
        return found

    @torch.no_grad()
    def finish(self) -> tuple[Tensors, dict[str, float]]:
        """Mean errors on unseen people, packed, and that of saying the mean of all."""
        made = {name: one.detach().clone() for name, one in self.learnt.items()}
        network = vision.network(as_read(made, bits=stage("vision").bits))
        unseen = held_back(self.rooms.cache, self.scale.pictures)
        patches = patches_of(unseen, self.rooms.cache, "unseen").float()
        figures = errors(self.told(network, patches), truths(unseen, torch.arange(len(unseen))))
        return made, {name: round(figure, 4) for name, figure in figures.items()}
