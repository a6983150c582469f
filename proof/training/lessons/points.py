"""What ControlNets' lessons share: pictures of five points, and losses with and without them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from training.chance import number

from ...networks import controlnet
from ...networks.crops import jitter
from ..batch import Batch
from ..pictures import SIZE, Album, held_back
from .frozen import Learner, Learns, Material


class OnPoints(Learns):
    """A lesson on batches of people and where their points are. Its own: material, net, learner, `predict`,
    `finish`."""

    material: Material
    net: Any

    def step(self, number: int) -> float:
        batch = self.material.batch(number)
        hints = points_of(self.material.pictures, batch.places, number)
        return self.learner.learn(batch.loss(self.predict(batch, hints)), number)

    def predict(self, batch: Batch, hints: torch.Tensor | None) -> torch.Tensor:
        """hints: pictures of points; None is without the net."""
        raise NotImplementedError

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


def learner_of(net: Any) -> Learner:
    learnt = {name: p for name, p in net.named_parameters() if p.requires_grad}
    ends = ("zero_convs.", "middle_block_out.", "time_embed.", "label_emb.", "input_hint_block.14.")
    return Learner(learnt, rate=0.006, plain_rate=2e-3, plain=lambda name: name.startswith(ends))


def points_of(pictures: Album, places: torch.Tensor, step: int) -> torch.Tensor:
    """Drawings of the points of these pictures, a little off as a detector's are."""
    found = []
    for place in places.tolist():
        chance = np.random.default_rng(number("hints", step, place))
        found.append(jitter(np.asarray(pictures.points[place]), chance))
    return controlnet.hints(found, SIZE)
