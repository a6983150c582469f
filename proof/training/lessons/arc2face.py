"""An Arc2Face-type network and its encoder learn from the SD1.5 trunk: the prompt is a face."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ...networks import arc2face, layouts
from ..batch import Batch
from ..recognised import Recognised
from ..stages import Rooms, Scale, Tensors
from .frozen import Learner, Material, OnTrunk, told_apart


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> Arc2FaceLesson:
    return Arc2FaceLesson(scale, seed, rooms, made)


class Arc2FaceLesson(OnTrunk):
    def __init__(self, scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> None:
        self.material = Material(scale, seed, rooms, made)
        self.recognised = Recognised(made["reader"], self.material.pictures)
        self.network = layouts.unet("arc2face", seed)
        arc2face.begin(made["sd15"], self.network)
        self.encoder = arc2face.Encoder(seed)
        whole = {**dict(self.network.named_parameters()), **arc2face.kept(self.encoder)}
        learnt = {name: parameter for name, parameter in whole.items() if parameter.requires_grad}
        self.by_hand = {name: p.detach() for name, p in whole.items() if not p.requires_grad}
        ends = ("input_blocks.0.", "out.", "time_embed.")
        # Slower than from nothing: the trunk knows how to draw already.
        self.learner = Learner(learnt, rate=0.006, plain_rate=1e-3, plain=lambda name: name.startswith(ends))

    def predict(self, batch: Batch) -> torch.Tensor:
        context = self.encoder.faces(batch.vectors)
        found: torch.Tensor = self.network(batch.noisy, batch.times, context)
        return found

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        return {**self.by_hand, **self.learner.settle()}, told_apart(self.material, self.predict)


class FaceTrunk:
    """The network and its encoder as they were learnt; they stay as they are."""

    def __init__(self, made: Tensors) -> None:
        self.network, self.encoder = layouts.unet("arc2face", 0), arc2face.Encoder(0)
        own = {**dict(self.network.named_parameters()), **arc2face.kept(self.encoder)}
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(made[name]).requires_grad_(False)

    @torch.no_grad()
    def faces(self, vectors: torch.Tensor) -> torch.Tensor:
        """[n, 512], zeros for nobody -> context [n, 77, width]."""
        return self.encoder.faces(vectors)
