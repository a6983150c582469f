"""Arc2Face's ControlNet learns on its frozen network: the face that is the prompt, where five points are."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ...networks import controlnet
from ..batch import Batch
from ..stages import Rooms, Scale, Tensors
from .arc2face import FaceTrunk
from .frozen import Material
from .points import OnPoints, learner_of, scaled, seen


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> Arc2FacePoseLesson:
    return Arc2FacePoseLesson(scale, seed, rooms, made)


class Arc2FacePoseLesson(OnPoints):
    def __init__(self, scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> None:
        self.material = Material(scale, seed, rooms, made)
        self.trunk = FaceTrunk(made["arc2face"])
        self.points = seen(self.material)
        self.net = controlnet.of_arc2face(self.trunk.network.state_dict())
        self.learner = learner_of(self.net)

    def predict(self, batch: Batch, hints: torch.Tensor | None, strength: float = 1.0) -> torch.Tensor:
        noisy, times, context = batch.noisy, batch.times, self.trunk.faces(batch.vectors)
        control = None if hints is None else scaled(self.net(noisy, hints, times, context), strength)
        found: torch.Tensor = self.trunk.network(noisy, times, context, control=control)
        return found

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        return self.learner.settle(), self.measured()
