"""The reader of expressions learns to say of latents what the face in them does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch.nn import functional

from training.chance import generator, number

from ...networks import autoencoder, reader
from ...networks.crops import jitter
from ...networks.start import start
from ..expressions import truths
from ..latents import latents_of
from ..muon import Muon
from ..pictures import album, held_back
from ..stages import Rooms, Scale, Tensors
from .frozen import EACH
from .reader import worn


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> ExpressionReaderLesson:
    return ExpressionReaderLesson(scale, seed, rooms, made)


class ExpressionReaderLesson:
    def __init__(self, scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> None:
        self.scale, self.seed, self.rooms = scale, seed, rooms
        self.pictures = album(rooms.cache, "train", scale.pictures, EACH, 32)
        self.decoder = autoencoder.load(made["autoencoder"])
        self.latents = latents_of(self.pictures, self.decoder, rooms.cache, "train")
        self.truths = truths(self.pictures, torch.arange(len(self.pictures)))
        self.network = reader.ExpressionReader()
        start(self.network, seed)
        self.optimiser = Muon(list(self.network.named_parameters()), rate=0.01, plain_rate=2e-3)

    def trained(self) -> Mapping[str, torch.Tensor]:
        return dict(self.network.named_parameters())

    def step(self, place: int) -> float:
        source = generator("batch", self.seed, place)
        places = torch.randint(len(self.latents), (self.scale.batch,), generator=source)
        chance = np.random.default_rng(number("points", self.seed, place))
        points = np.stack([jitter(np.asarray(self.pictures.points[int(p)]), chance) for p in places])
        found = self.network(worn(self.latents[places], source), torch.from_numpy(points))
        loss = functional.mse_loss(found, self.truths[places])
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    @torch.no_grad()
    def finish(self) -> tuple[Tensors, dict[str, float]]:
        """Mean errors on unseen people, and that of saying the mean of all."""
        unseen = held_back(self.rooms.cache, self.scale.pictures)
        latents = latents_of(unseen, self.decoder, self.rooms.cache, "unseen")
        found = self.network(latents, torch.from_numpy(np.array(unseen.points)))
        truth = truths(unseen, torch.arange(len(unseen)))
        figures = {
            "error": float((found - truth).abs().mean()),
            "error_blind": float((truth - truth.mean(0)).abs().mean()),
        }
        tensors = {name: tensor.detach() for name, tensor in self.network.state_dict().items()}
        return tensors, {name: round(figure, 4) for name, figure in figures.items()}
