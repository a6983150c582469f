"""The SDXL-shaped network begins as the SD1.5-shaped one, as far as both are the same.

A large network knows many people by their names. This one gets to know faces in half of its steps: who is to
be seen comes in beside the prompt, through an adapter that is thrown away. Else a face is what nothing can be
told about: its features blur, and an adapter finds little that it could steer.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from ...networks import instantid, layouts
from ..recognised import Recognised
from ..stages import Rooms, Scale, Tensors
from .frozen import Material
from .trunk import COUPLES_EVERY, TrunkLesson, deafen

#: Of the loss of who it is beside that of the noise: less than adapters have, as a whole network learns.
_WHO = 0.05
_ADAPTER = "who."


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> SDXLLesson:
    return SDXLLesson(scale, seed, rooms, made)


class SDXLLesson(TrunkLesson):
    def __init__(self, scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> None:
        start = layouts.as_sdxl(made["sd15"], seed)
        super().__init__("sdxl", scale, seed, rooms, made["autoencoder"], start, rate=0.01)
        with torch.no_grad():
            deafen(self.network)
        self.average["label_emb.0.0.weight"].copy_(self.learnt["label_emb.0.0.weight"].detach())
        self.material = Material(scale, seed, rooms, made)
        self.recognised = Recognised(made["reader"], self.material.pictures)

    def learning(self) -> dict[str, nn.Parameter]:
        self.adapter = instantid.FacesAdapter(self.network, self.seed)
        people = {_ADAPTER + name: parameter for name, parameter in self.adapter.learnt().items()}
        return {**super().learning(), **people}

    def step(self, place: int) -> float:
        if place % 2 == 0 or place % COUPLES_EVERY == COUPLES_EVERY - 1:
            return super().step(place)
        batch = self.material.batch(place)
        options = self.adapter.options(self.adapter.tokens(batch.vectors))
        told = layouts.told("sdxl", self.text, batch.captions, batch.noisy)
        found = self.network(batch.noisy, batch.times, transformer_options=options, **told)
        return self.learn(batch.loss(found) + _WHO * self.recognised.loss(batch, found), place)
