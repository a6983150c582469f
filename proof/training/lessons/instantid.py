"""InstantID's adapter learns on the frozen SDXL-shaped trunk: who it is, beside the prompt.

The person is what the recogniser says of another picture of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ...networks import instantid
from ..batch import Batch
from ..recognised import Recognised
from ..stages import Rooms, Scale, Tensors
from .frozen import Learner, Material, OnTrunk, Trunk, told_apart


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> InstantIDLesson:
    return InstantIDLesson(scale, seed, rooms, made)


class InstantIDLesson(OnTrunk):
    # With 0.2 the adapter learnt to show a reader single features, and four of five faces were not whole.
    who = 0.1

    def __init__(self, scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> None:
        self.material = Material(scale, seed, rooms, made)
        self.recognised = Recognised(made["reader"], self.material.pictures)
        self.trunk = Trunk("sdxl", made["sdxl"])
        self.adapter = instantid.FacesAdapter(self.trunk.network, seed)
        self.learner = Learner(self.adapter.learnt(), rate=0.01, plain_rate=2e-3)

    def predict(self, batch: Batch) -> torch.Tensor:
        options = self.adapter.options(self.adapter.tokens(batch.vectors))
        return self.trunk.noise(batch.noisy, batch.times, batch.captions, transformer_options=options)

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        return instantid.whole(self.learner.settle()), told_apart(self.material, self.predict)
