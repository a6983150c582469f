"""InstantID's adapter learns on the frozen SDXL-shaped trunk: who it is, beside the prompt.

The person is what the recogniser says of another picture of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from training.chance import generator

from ...networks import instantid
from ..batch import Batch, between
from ..recognised import Recognised
from ..stages import Rooms, Scale, Tensors
from .frozen import Learner, Material, OnTrunk, Trunk, told_apart

#: At which weights it learns. At 1 alone, what it adds was too loud at 1 already, as guidance makes it louder
#: still: likeness and whole faces fell from 0.8 on.
WEIGHTS = 0.8, 1.5


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> InstantIDLesson:
    return InstantIDLesson(scale, seed, rooms, made)


class InstantIDLesson(OnTrunk):
    # With 0.2 the adapter learnt to show a reader single features, and four of five faces were not whole.
    who = 0.1

    def __init__(self, scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> None:
        self.seed, self.material = seed, Material(scale, seed, rooms, made)
        self.recognised = Recognised(made["reader"], self.material.pictures)
        self.trunk = Trunk("sdxl", made["sdxl"])
        self.adapter = instantid.FacesAdapter(self.trunk.network, seed)
        self.learner = Learner(self.adapter.learnt(), rate=0.01, plain_rate=2e-3)

    def batch(self, number: int) -> Batch:
        """Of a step, from its number alone."""
        return self.material.batch(number)

    def step(self, number: int) -> float:
        batch = self.batch(number)
        found = self.predict(batch, between(*WEIGHTS, generator("weight", self.seed, number)))
        loss = batch.loss(found) + self.who * self.recognised.loss(batch, found)
        return self.learner.learn(loss, number)

    def predict(self, batch: Batch, weight: float = 1.0) -> torch.Tensor:
        options = self.adapter.options(self.adapter.tokens(batch.vectors), weight)
        return self.trunk.noise(batch.noisy, batch.times, batch.captions, transformer_options=options)

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        return instantid.whole(self.learner.settle()), told_apart(self.material, self.predict)
