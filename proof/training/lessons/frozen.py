"""What lessons on a trunk share: who pictures show, the trunk's answers, averages, measuring."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import nn

from training.chance import generator, number

from ...networks import autoencoder, diffusion, layouts
from ..batch import Batch, spread_times
from ..face_weights import face_weights
from ..latents import latents_of
from ..muon import Muon
from ..pictures import Album, album, held_back, words
from ..recognised import Recognised
from ..running import AVERAGE
from ..stages import Rooms, Scale, Tensors
from ..vectors import vectors_of

#: Pictures of a person follow each other in the album; in that of unseen people there are two of each.
EACH, EACH_UNSEEN = 4, 2
_GROUP = 32
#: Left out by chance, so that guidance has something to lead away from.
NO_PROMPT, NOBODY = 0.1, 0.1
_AVERAGE = 0.995
#: Of the loss of who it is beside that of the noise.
WHO = 0.2


class Material:
    """Pictures of people, their latents and who they show, for learning and for measuring."""

    def __init__(self, scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> None:
        self.scale, self.seed, self.rooms = scale, seed, rooms
        self.decoder = autoencoder.load(made["autoencoder"])
        self.recogniser = made["recogniser"]
        self.pictures = album(rooms.cache, "train", scale.pictures, EACH, _GROUP)
        self.latents, self.vectors = self._seen(self.pictures, "train")

    def _seen(self, pictures: Album, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        return (
            latents_of(pictures, self.decoder, self.rooms.cache, name),
            vectors_of(pictures, self.recogniser, self.rooms.cache, name),
        )

    def batch(self, step: int, among: int | None = None) -> Batch:
        """Of a step, from its number alone. among: only the first so many pictures."""
        source, count = generator("batch", self.seed, step), self.scale.batch
        places = torch.randint(among or len(self.pictures), (count,), generator=source)
        times = spread_times(count, source)
        noise = torch.randn((count, *self.latents.shape[1:]), generator=source)
        silent = torch.rand(count, generator=source) < NO_PROMPT
        nobody = torch.rand(count, generator=source) < NOBODY
        on = torch.randint(1, EACH, (count,), generator=source)
        others = places // EACH * EACH + (places + on) % EACH
        captions = [
            "" if no else words(self.pictures.figures(p), number("words", self.seed, step, n) >> 32)
            for n, (p, no) in enumerate(zip(places.tolist(), silent.tolist(), strict=True))
        ]
        vectors = self.vectors[others] * ~nobody[:, None]
        faces = face_weights(self.pictures, places)
        return Batch(places, self.latents[places], noise, times, faces, captions, vectors)

    def unseen(self, count: int = 64) -> tuple[Batch, Batch, Batch]:
        """Unseen people with fixed noise: with who they are, with who another is, with nobody."""
        pictures = held_back(self.rooms.cache, self.scale.pictures)
        latents, vectors = self._seen(pictures, "unseen")
        count = min(count, len(pictures))
        places = torch.arange(count)
        noise = torch.randn((count, *latents.shape[1:]), generator=generator("held out"))
        # Every person at a time of their own, but neighbours not at neighbouring ones.
        times = ((places * 37 % count + 0.5) / count * diffusion.STEPS).long()
        captions = [words(pictures.figures(int(place)), int(place)) for place in places]
        right, wrong = vectors[places ^ 1], vectors[(places ^ 1).roll(EACH_UNSEEN)]
        faces = face_weights(pictures, places)
        made = [
            Batch(places, latents[places], noise, times, faces, captions, shown)
            for shown in (right, wrong, torch.zeros_like(right))
        ]
        return made[0], made[1], made[2]


class Trunk:
    """A network that stays as it is, and what it is told of a caption."""

    def __init__(self, kind: str, tensors: Tensors) -> None:
        self.kind, self.text = kind, layouts.text_encoder()
        self.network = layouts.unet(kind, 0)
        self.network.load_state_dict(tensors)
        self.network.eval().requires_grad_(False)

    def noise(
        self, noisy: torch.Tensor, times: torch.Tensor, captions: list[str], **further: Any
    ) -> torch.Tensor:
        """What it finds; further: of the host's network, such as transformer_options and control."""
        told = layouts.told(self.kind, self.text, captions, noisy)
        found: torch.Tensor = self.network(noisy, times, **told, **further)
        return found


class Learner:
    """The part of a lesson that learns, with its average. learnt: under the names that are kept."""

    def __init__(self, learnt: Mapping[str, nn.Parameter], **optimiser: Any) -> None:
        self.learnt = dict(learnt)
        self.average = {name: parameter.detach().clone() for name, parameter in self.learnt.items()}
        self.optimiser = Muon(list(self.learnt.items()), **optimiser)

    def trained(self) -> dict[str, torch.Tensor]:
        return {**self.learnt, **{AVERAGE + name: tensor for name, tensor in self.average.items()}}

    def learn(self, loss: torch.Tensor, step: int) -> float:
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        follow = 1 - min(_AVERAGE, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, parameter in self.learnt.items():
                self.average[name].lerp_(parameter, follow)
        return float(loss.detach())

    @torch.no_grad()
    def settle(self) -> Tensors:
        """The averages take the place of what learnt; returns them."""
        for name, parameter in self.learnt.items():
            parameter.copy_(self.average[name])
        return {name: tensor.clone() for name, tensor in self.average.items()}


class Learns:
    """What a lesson with a Learner gives to whoever runs it."""

    learner: Learner

    @property
    def optimiser(self) -> Muon:
        return self.learner.optimiser

    def trained(self) -> Mapping[str, torch.Tensor]:
        return self.learner.trained()


class OnTrunk(Learns):
    """A lesson on batches of people, which learns who they are as well. Its own: material, recognised,
    learner, `predict`, `finish`."""

    material: Material
    recognised: Recognised
    who: ClassVar[float] = WHO

    def step(self, number: int) -> float:
        batch = self.material.batch(number)
        found = self.predict(batch)
        loss = batch.loss(found) + self.who * self.recognised.loss(batch, found)
        return self.learner.learn(loss, number)

    def predict(self, batch: Batch) -> torch.Tensor:
        raise NotImplementedError


@torch.no_grad()
def told_apart(material: Material, predict: Callable[[Batch], torch.Tensor]) -> dict[str, float]:
    """Losses on unseen people with their own identity, another's and nobody's, on the same noise."""
    figures = {}
    for name, batch in zip(("own", "other", "nobody"), material.unseen(), strict=True):
        figures[f"loss_{name}"] = round(float(batch.loss(predict(batch))), 5)
    return figures
