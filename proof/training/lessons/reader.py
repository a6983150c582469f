"""The reader learns to say of latents what the recogniser says of the person in their picture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch.nn import functional

from training.chance import generator, number

from ...networks import reader
from ...networks.crops import jitter
from ...networks.start import start
from ..muon import Muon
from ..pictures import Album, held_back
from ..stages import Rooms, Scale, Tensors
from .faces import auc, pairs
from .frozen import EACH, EACH_UNSEEN, Material

#: Of a batch, latents softened and made noisy: what is half drawn is neither sharp nor clean.
_WORN = 0.6


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> ReaderLesson:
    return ReaderLesson(scale, seed, rooms, made)


class OnLatents:
    """A lesson on latents as half-drawn pictures have them, and where the faces in them are. Its own: `loss`,
    `finish`."""

    def __init__(
        self, network: reader.Reader, pictures: Album, latents: torch.Tensor, batch: int, seed: int
    ) -> None:
        self.network, self.pictures, self.latents = network, pictures, latents
        self.count, self.seed = batch, seed
        start(network, seed)
        self.optimiser = Muon(list(network.named_parameters()), rate=0.01, plain_rate=2e-3)

    def trained(self) -> Mapping[str, torch.Tensor]:
        return dict(self.network.named_parameters())

    def step(self, place: int) -> float:
        source = generator("batch", self.seed, place)
        places = torch.randint(len(self.latents), (self.count,), generator=source)
        chance = np.random.default_rng(number("points", self.seed, place))
        points = np.stack([jitter(np.asarray(self.pictures.points[int(p)]), chance) for p in places])
        loss = self.loss(self.network(worn(self.latents[places], source), torch.from_numpy(points)), places)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    def loss(self, found: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Of what was read from the album's latents at these places."""
        raise NotImplementedError

    def learnt(self) -> Tensors:
        return {name: tensor.detach() for name, tensor in self.network.state_dict().items()}


class ReaderLesson(OnLatents):
    def __init__(self, scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> None:
        self.material = Material(scale, seed, rooms, made)
        self.who = people_of(self.material.vectors, EACH)
        super().__init__(reader.Reader(), self.material.pictures, self.material.latents, scale.batch, seed)

    def loss(self, found: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        wanted = self.who[places // EACH]
        same = places[:, None] // EACH == places[None] // EACH
        alike = (found @ wanted.T / 0.1).masked_fill(same & ~torch.eye(len(places), dtype=torch.bool), -1e4)
        apart = functional.cross_entropy(alike, torch.arange(len(places)))
        return 1 - (found * wanted).sum(1).mean() + 0.3 * apart

    @torch.no_grad()
    def finish(self) -> tuple[Tensors, dict[str, float]]:
        """cosine: with the recogniser's vectors of unseen people; auc: of telling them apart."""
        batch, _, _ = self.material.unseen(400)
        unseen = held_back(self.material.rooms.cache, self.material.scale.pictures)
        points = torch.from_numpy(np.asarray(unseen.points)[batch.places.numpy()])
        found = self.network(batch.latents, points)
        same, other = pairs(found, len(found) // EACH_UNSEEN)
        cosine = functional.cosine_similarity(found, batch.vectors).mean()
        figures = {"cosine": round(float(cosine), 3), "auc": round(auc(same, other), 4)}
        return self.learnt(), figures


def people_of(vectors: torch.Tensor, each: int) -> torch.Tensor:
    """[n, 512] in the order of an album -> [n / each, 512] of length 1: what all pictures of a person say."""
    return functional.normalize(functional.normalize(vectors, dim=1).reshape(-1, each, 512).mean(1), dim=1)


def worn(latents: torch.Tensor, source: torch.Generator) -> torch.Tensor:
    """Some of them softer and noisier."""
    count = len(latents)
    some = torch.rand(count, 1, 1, 1, generator=source) < _WORN
    soft = 0.8 * torch.rand(count, 1, 1, 1, generator=source)
    loud = 0.4 * torch.rand(count, 1, 1, 1, generator=source)
    blurred = functional.avg_pool2d(latents, 3, stride=1, padding=1, count_include_pad=False)
    noise = torch.randn(latents.shape, generator=source)
    return torch.where(some, latents.lerp(blurred, soft) + loud * noise, latents)
