"""Arc2Face's reference LoRA learns on its frozen network: dressed as somebody else is in another picture.

The other looks and stands as the picture does that is asked for; who it is says the prompt alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from ...networks import reference
from ...world.draw import draw
from ...world.people import Person
from ..batch import Batch
from ..kept import kept
from ..pictures import SIZE, Album, held_back
from ..stages import Rooms, Scale, Tensors
from .arc2face import FaceTrunk
from .frozen import Learner, Learns, Material

#: Of the people in references: nobody else's.
_OTHERS = 7_000_000
#: One picture in so many gets a reference drawn: each costs as much as some steps of learning.
_PART = 4
#: Every so many steps nobody is asked for and nothing is looked at, as the negative prompt has it.
_NOTHING_EVERY = 8


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> ReferenceLesson:
    return ReferenceLesson(scale, seed, rooms, made)


class ReferenceLesson(Learns):
    def __init__(self, scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> None:
        self.material = Material(scale, seed, rooms, made)
        self.references = self.drawn(self.material.pictures, len(self.material.pictures) // _PART, "train")
        self.plain, self.trunk = FaceTrunk(made["arc2face"]), FaceTrunk(made["arc2face"])
        learnt = reference.with_lora(self.trunk.network, seed)
        self.learner = Learner(learnt, rate=0.01, plain_rate=2e-3)

    def drawn(self, pictures: Album, count: int, name: str) -> torch.Tensor:
        """Latents [count, 4, 16, 16] of others who look as the first pictures do."""
        decoder = self.material.decoder

        @torch.no_grad()
        def make() -> torch.Tensor:
            others = (replace(pictures.figures(n), person=Person.of(_OTHERS + n)) for n in range(count))
            shown = (torch.from_numpy(draw(other, SIZE).picture).movedim(2, 0) / 255 for other in others)
            return torch.cat([decoder.encode(picture[None]) for picture in shown])

        made_by = decoder.state_dict().values()
        return kept(self.material.rooms.cache, "latents", f"dressed-{name}-{count}", make, made_by)

    def step(self, number: int) -> float:
        batch = self.material.batch(number, among=len(self.references))
        if number % _NOTHING_EVERY == _NOTHING_EVERY - 1:
            nobody = replace(batch, vectors=torch.zeros_like(batch.vectors))
            return self.learner.learn(batch.loss(self.predict(nobody, None)), number)
        found = self.predict(batch, self.references[batch.places])
        return self.learner.learn(batch.loss(found), number)

    def predict(self, batch: Batch, references: torch.Tensor | None) -> torch.Tensor:
        """references: latents of what is looked at, one each; None is nothing."""
        context = self.trunk.faces(batch.vectors)
        options = {}
        if references is not None:
            bank = reference.seen(self.plain.network, references, context)
            options = reference.looking(self.trunk.network, bank)
        found: torch.Tensor = self.trunk.network(
            batch.noisy, batch.times, context, transformer_options=options
        )
        return found

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        return self.learner.settle(), self.measured()

    @torch.no_grad()
    def measured(self) -> dict[str, float]:
        """Losses on unseen people with their own reference, another's, none, and as somebody else."""
        right, wrong, _ = self.material.unseen()
        pictures = held_back(self.material.rooms.cache, self.material.scale.pictures)
        own = self.drawn(pictures, len(right.places), "unseen")
        given = {
            "own": (right, own),
            "other": (right, own.roll(1, dims=0)),
            "nothing": (right, None),
            "somebody": (wrong, own),
        }
        return {
            f"loss_{name}": round(float(batch.loss(self.predict(batch, shown))), 5)
            for name, (batch, shown) in given.items()
        }
