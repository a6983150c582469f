"""What ControlNets' lessons share: pictures of five points, and losses with and without them."""

from __future__ import annotations

from typing import Any

import torch

from training.chance import generator

from ...networks import controlnet
from ..batch import Batch, between
from ..detected import points_of
from ..pictures import SIZE, held_back
from .frozen import Learner, Learns, Material

#: In so many pictures points are looked for, each costs as much as a tenth of a step.
_SEEN = 6000
#: As diffusion.USUAL, but higher: where a face stands is decided while little but noise is to be seen.
_EARLY = 0.8
#: At which strengths a net learns, each step at one between them: what does it there is firmer at 1. One that
#: learnt at 1 alone put faces half-heartedly where they were asked for: told at 1.8, they were nearer.
_STRENGTHS = 0.4, 0.9


class OnPoints(Learns):
    """A lesson on batches of people and where their points are. Its own: material, points, net, learner,
    `predict`, `finish`."""

    material: Material
    points: torch.Tensor
    net: Any

    def step(self, number: int) -> float:
        batch = self.material.batch(number, among=len(self.points))
        hints = drawn(self.points[batch.places])
        strength = between(*_STRENGTHS, generator("strength", self.material.seed, number))
        found = self.predict(batch, hints, strength)
        return self.learner.learn(batch.loss(found, _EARLY), number)

    def predict(self, batch: Batch, hints: torch.Tensor | None, strength: float = 1.0) -> torch.Tensor:
        """hints: pictures of points; None is without the net."""
        raise NotImplementedError

    @torch.no_grad()
    def measured(self) -> dict[str, float]:
        """Losses on unseen people with their own points, those of another picture, and without any."""
        batch, _, _ = self.material.unseen()
        pictures = held_back(self.material.rooms.cache, self.material.scale.pictures)
        own = drawn(points_of(pictures, len(batch.places), self.material.rooms.cache, "unseen"))
        given = {"own": own, "other": own.roll(1, dims=0), "nowhere": None}
        return {
            f"loss_{name}": round(float(batch.loss(self.predict(batch, hints))), 5)
            for name, hints in given.items()
        }


def scaled(control: dict[str, list[torch.Tensor]], strength: float) -> dict[str, list[torch.Tensor]]:
    """What a net adds, at a strength."""
    return {part: [strength * one for one in layers] for part, layers in control.items()}


def learner_of(net: Any) -> Learner:
    learnt = {name: p for name, p in net.named_parameters() if p.requires_grad}
    ends = ("zero_convs.", "middle_block_out.", "time_embed.", "label_emb.", "input_hint_block.14.")
    return Learner(learnt, rate=0.006, plain_rate=2e-3, plain=lambda name: name.startswith(ends))


def seen(material: Material) -> torch.Tensor:
    """[n, 5, 2]: where the detector finds the points of the first pictures."""
    count = min(_SEEN, len(material.pictures))
    return points_of(material.pictures, count, material.rooms.cache, "train")


def drawn(points: torch.Tensor) -> torch.Tensor:
    """Drawings of points [n, 5, 2] in pixels."""
    return controlnet.hints(list(points.numpy()), SIZE)
