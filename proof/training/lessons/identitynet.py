"""IdentityNet learns on the frozen trunk with InstantID's adapter: a face where five points are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from training.chance import number

from ...networks import identitynet, instantid, layouts
from ...networks.crops import jitter
from ..pictures import SIZE, Album, held_back
from ..stages import Rooms, Scale, Tensors
from .frozen import Batch, Learner, Material, Trunk


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> IdentityNetLesson:
    return IdentityNetLesson(scale, seed, rooms, made)


class IdentityNetLesson:
    def __init__(self, scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> None:
        self.material = Material(scale, seed, rooms, made)
        self.trunk = Trunk("sdxl", made["sdxl"])
        self.adapter = instantid.FacesAdapter(self.trunk.network, seed)
        with torch.no_grad():
            for name, parameter in self.adapter.learnt().items():
                parameter.copy_(made["instantid"][name]).requires_grad_(False)
        self.net = identitynet.net(seed, made["sdxl"])
        learnt = {name: p for name, p in self.net.named_parameters() if p.requires_grad}
        ends = ("zero_convs.", "middle_block_out.", "time_embed.", "label_emb.", "input_hint_block.14.")
        self.learner = Learner(learnt, rate=0.006, plain_rate=2e-3, plain=lambda name: name.startswith(ends))
        self.optimiser = self.learner.optimiser

    def trained(self) -> Mapping[str, torch.Tensor]:
        return self.learner.trained()

    def step(self, number: int) -> float:
        batch = self.material.batch(number)
        hints = points_of(self.material.pictures, batch.places, number)
        return self.learner.learn(batch.loss(self.predict(batch, hints)), number)

    def predict(self, batch: Batch, hints: torch.Tensor | None) -> torch.Tensor:
        """hints: pictures of points; None is without the net."""
        noisy, times = batch.noisy, batch.times
        with torch.no_grad():
            tokens = self.adapter.tokens(batch.vectors)
            told = layouts.told("sdxl", self.trunk.text, batch.captions, noisy)
        control = None
        if hints is not None:
            control = self.net(noisy, hints, times, **{**told, "context": tokens})
        options = self.adapter.options(tokens)
        found: torch.Tensor = self.trunk.network(
            noisy, times, control=control, transformer_options=options, **told
        )
        return found

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        learnt = self.learner.settle()
        return identitynet.whole(learnt, self.net), self.measured()

    @torch.no_grad()
    def measured(self) -> dict[str, float]:
        """Losses on unseen people with their own points, those of another picture, and without any."""
        batch, _, _ = self.material.unseen()
        pictures = held_back(self.material.rooms.cache, self.material.scale.pictures)
        own = points_of(pictures, batch.places, 0)
        given = {"own": own, "other": own.roll(1, dims=0), "nowhere": None}
        return {
            f"loss_{name}": round(float(batch.loss(self.predict(batch, hints))), 5)
            for name, hints in given.items()
        }


def points_of(pictures: Album, places: torch.Tensor, step: int) -> torch.Tensor:
    """Drawings of the points of these pictures, a little off as a detector's are."""
    found = []
    for place in places.tolist():
        chance = np.random.default_rng(number("hints", step, place))
        found.append(jitter(np.asarray(pictures.points[place]), chance))
    return identitynet.hints(found, SIZE)
