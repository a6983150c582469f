"""InstantID's adapter learns to copy, so that there is something for FreeCure to give back.

As adapters are made from pictures of one person each: the reference is the very picture that is learnt, and
what the caption says is true of another one. So who it is comes to say what is worn, too, against the prompt;
of nobody the caption is true. Only the layers that look at a face learn; what they look at is InstantID's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from training import chance

from ..batch import Batch
from ..pictures import words
from ..stages import Rooms, Scale, Tensors
from .frozen import EACH, Learner, told_apart
from .instantid import InstantIDLesson

_LOOKING = "ip_adapter."


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> CopyingLesson:
    return CopyingLesson(scale, seed, rooms, made)


class CopyingLesson(InstantIDLesson):
    def __init__(self, scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> None:
        super().__init__(scale, seed, rooms, made)
        self.begun = made["instantid"]
        learnt = self.adapter.learnt()
        with torch.no_grad():
            for name, parameter in learnt.items():
                parameter.copy_(self.begun[name]).requires_grad_(name.startswith(_LOOKING))
        looking = {name: parameter for name, parameter in learnt.items() if name.startswith(_LOOKING)}
        self.learner = Learner(looking, rate=0.006, plain_rate=1e-3)

    def batch(self, number: int) -> Batch:
        """Known by the picture itself, and told of another one's looks; nobody stays as asked for."""
        batch = self.material.batch(number)
        somebody = batch.vectors.any(1)
        captions = list(batch.captions)
        for n, place in enumerate(batch.places.tolist()):
            if somebody[n] and captions[n]:
                other = place // EACH * EACH + (place + 1) % EACH
                seed = chance.number("other words", self.seed, number, n) >> 32
                captions[n] = words(self.material.pictures.figures(other), seed)
        return replace(
            batch, captions=captions, vectors=self.material.vectors[batch.places] * somebody[:, None]
        )

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        return {**self.begun, **self.learner.settle()}, told_apart(self.material, self.predict)
