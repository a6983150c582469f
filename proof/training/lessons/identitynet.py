"""IdentityNet learns on the frozen trunk with InstantID's adapter: a face where five points are."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ...networks import controlnet, instantid, layouts
from ..batch import Batch
from ..stages import Rooms, Scale, Tensors
from .frozen import Material, Trunk
from .points import OnPoints, learner_of, scaled, seen


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> IdentityNetLesson:
    return IdentityNetLesson(scale, seed, rooms, made)


class IdentityNetLesson(OnPoints):
    def __init__(self, scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> None:
        self.material = Material(scale, seed, rooms, made)
        self.trunk = Trunk("sdxl", made["sdxl"])
        self.adapter = instantid.FacesAdapter(self.trunk.network, seed)
        with torch.no_grad():
            for name, parameter in self.adapter.learnt().items():
                parameter.copy_(made["instantid"][name]).requires_grad_(False)
        self.points = seen(self.material)
        self.net = controlnet.net("sdxl", seed, made["sdxl"])
        self.learner = learner_of(self.net)

    def predict(self, batch: Batch, hints: torch.Tensor | None, strength: float = 1.0) -> torch.Tensor:
        noisy, times = batch.noisy, batch.times
        with torch.no_grad():
            tokens = self.adapter.tokens(batch.vectors)
            told = layouts.told("sdxl", self.trunk.text, batch.captions, noisy)
        control = None
        if hints is not None:
            control = scaled(self.net(noisy, hints, times, **{**told, "context": tokens}), strength)
        options = self.adapter.options(tokens)
        found: torch.Tensor = self.trunk.network(
            noisy, times, control=control, transformer_options=options, **told
        )
        return found

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        learnt = self.learner.settle()
        return controlnet.whole("sdxl", learnt, self.net), self.measured()
