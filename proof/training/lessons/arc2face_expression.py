"""Arc2Face's expression adapter learns on the frozen drawn network: what the reader of expressions says.

It also keeps who it is: an expression asked for alone is found in somebody else's face as well.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from training.chance import generator

from ...networks import expression_adapter, smirk
from ..batch import Batch
from ..expressed import Expressed
from ..expressions import read
from ..pictures import Album, held_back
from ..recognised import Recognised
from ..stages import Rooms, Scale, Tensors
from .arc2face import FaceTrunk
from .frozen import WHO, Learner, Learns, Material

#: How often nothing is said of the expression, so that guidance has something to lead away from.
_NO_EXPRESSION = 0.1
#: Of the loss of the expression beside that of the noise. Twice as much took a third of the likeness with it.
EXPRESSED = 0.1


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> ExpressionLesson:
    return ExpressionLesson(scale, seed, rooms, made)


class ExpressionLesson(Learns):
    def __init__(self, scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> None:
        self.seed, self.material = seed, Material(scale, seed, rooms, made)
        self.trunk = FaceTrunk(made["arc2face"])
        self.reader = smirk.load(made["smirk"])
        self.expressed = Expressed(made["expression_reader"], self.material.pictures)
        self.recognised = Recognised(made["reader"], self.material.pictures)
        self.adapter = expression_adapter.ExpressionAdapter(self.trunk.network, seed)
        self.learner = Learner(self.adapter.learnt(), rate=0.01, plain_rate=2e-3)

    def step(self, number: int) -> float:
        batch = self.material.batch(number)
        chance = torch.rand(len(batch.places), generator=generator("expression", self.seed, number))
        told = chance >= _NO_EXPRESSION
        found = self.found(batch, self.seen(self.material.pictures, batch) * told[:, None])
        loss = batch.loss(found) + EXPRESSED * self.expressed.loss(batch, found, told)
        loss = loss + WHO * self.recognised.loss(batch, found)
        return self.learner.learn(loss, number)

    def seen(self, pictures: Album, batch: Batch) -> torch.Tensor:
        return read(pictures, batch.places, self.reader)

    def found(self, batch: Batch, parameters: torch.Tensor) -> torch.Tensor:
        """The noise, with these expressions [n, 55], zeros for none."""
        context = self.trunk.faces(batch.vectors)
        options = self.adapter.options(self.adapter.tokens(parameters))
        noise: torch.Tensor = self.trunk.network(
            batch.noisy, batch.times, context, transformer_options=options
        )
        return noise

    @torch.no_grad()
    def finish(self) -> tuple[Tensors, dict[str, float]]:
        """Losses on unseen people: told their own expression, another's, and none, on the same noise."""
        made, batch = self.learner.settle(), self.material.unseen()[0]
        own = self.seen(held_back(self.material.rooms.cache, self.material.scale.pictures), batch)
        told = {"own": own, "other": own.roll(1, dims=0), "none": torch.zeros_like(own)}
        losses = {name: float(batch.loss(self.found(batch, shown))) for name, shown in told.items()}
        return made, {f"loss_{name}": round(loss, 5) for name, loss in losses.items()}
