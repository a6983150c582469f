"""A reader of expressions learns from drawn faces: what the face does, and not whose it is."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.nn import functional

from training.chance import generator, number

from ...networks import smirk
from ...packing import as_read
from ..expressions import crops, errors, read, truths
from ..muon import Muon
from ..pictures import Album, album, held_back
from ..stages import Rooms, Scale, Tensors, stage
from .faces import auc, pairs
from .frozen import EACH, EACH_UNSEEN


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> SmirkLesson:
    return SmirkLesson(scale, seed, rooms)


class SmirkLesson:
    def __init__(self, scale: Scale, seed: int, rooms: Rooms) -> None:
        self.scale, self.seed, self.rooms = scale, seed, rooms
        self.pictures = album(rooms.cache, "train", scale.pictures, EACH, 32)
        self.reader = smirk.Reader(seed).train()
        named = list(self.reader.named_parameters())
        self.optimiser = Muon(named, rate=0.01, plain_rate=2e-3, plain=lambda name: "encoder" not in name)

    def trained(self) -> Mapping[str, torch.Tensor]:
        """With what its norms have seen."""
        return smirk.kept(self.reader)

    def step(self, place: int) -> float:
        source = generator("pictures", self.seed, place)
        places = torch.randint(self.scale.pictures, (self.scale.batch,), generator=source)
        seen = crops(self.pictures, places, number("crops", self.seed, place))
        loss = functional.mse_loss(self.reader(seen), truths(self.pictures, places))
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        made = {name: tensor.detach().clone() for name, tensor in smirk.kept(self.reader).items()}
        unseen = held_back(self.rooms.cache, self.scale.pictures)
        return made, measured(smirk.load(as_read(made, bits=stage("smirk").bits)), unseen)


@torch.no_grad()
def measured(reader: smirk.Reader, unseen: Album) -> dict[str, float]:
    """Of the vectors that the node gives, on unseen people: the mean error of each number read back, of all,
    and of saying the mean of all; how well pairs of one person can be told by the vectors, .5 being not."""
    places = torch.arange(len(unseen))
    truth, vectors = truths(unseen, places), read(unseen, places, reader)
    figures = errors(smirk.told(vectors), truth)
    people = len(unseen) // EACH_UNSEEN
    figures["who_auc"] = auc(*pairs(functional.normalize(vectors - vectors.mean(0)), people))
    return {name: round(figure, 4) for name, figure in figures.items()}
