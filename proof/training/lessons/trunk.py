"""A network learns to draw what a prompt says: the noise in latents, for a picture's own caption."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from training.chance import generator, number

from ... import packing
from ...networks import autoencoder, diffusion, layouts, text
from ..batch import Batch, spread_times
from ..face_weights import face_weights
from ..latents import latents_of
from ..muon import Muon
from ..pictures import SIZE, album, couples, held_back, words
from ..running import AVERAGE
from ..stages import Rooms, Scale, Tensors, stage

#: Prompts left out whole, so that guidance has something to lead away from.
_NO_PROMPT = 0.1
_AVERAGE = 0.995
#: Every so many steps are of two people side by side, half as many as cost the same.
COUPLES_EVERY = 8


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> TrunkLesson:
    return TrunkLesson("sd15", scale, seed, rooms, made["autoencoder"])


class TrunkLesson:
    """start: weights to begin with, else by chance. rate: Muon's."""

    def __init__(
        self,
        kind: str,
        scale: Scale,
        seed: int,
        rooms: Rooms,
        decoder: Tensors,
        start: Tensors | None = None,
        rate: float = 0.01,
    ) -> None:
        self.kind, self.scale, self.seed, self.rooms = kind, scale, seed, rooms
        self.pictures = album(rooms.cache, "train", scale.pictures, 4, 32)
        self.couples = couples(rooms.cache, max(8, scale.pictures // 8))
        self.decoder = autoencoder.load(decoder)
        self.latents = latents_of(self.pictures, self.decoder, rooms.cache, "train")
        self.two = latents_of(self.couples, self.decoder, rooms.cache, "couples")
        self.network = layouts.unet(kind, seed)
        if start is not None:
            self.network.load_state_dict(start)
        self.text = layouts.text_encoder()
        self.learnt = self.learning()
        self.average = {name: parameter.detach().clone() for name, parameter in self.learnt.items()}
        ends = ("input_blocks.0.", "out.", "time_embed.", "label_emb.")
        self.optimiser = Muon(
            list(self.learnt.items()),
            rate=rate,
            plain_rate=rate / 5,
            plain=lambda name: name.startswith(ends),
        )

    def learning(self) -> dict[str, torch.nn.Parameter]:
        """What learns, by name: the network, under the names of its file."""
        return dict(self.network.named_parameters())

    def trained(self) -> Mapping[str, torch.Tensor]:
        return self.learnt | {AVERAGE + name: tensor for name, tensor in self.average.items()}

    def step(self, place: int) -> float:
        batch, beside = self.batch(place)
        return self.learn(batch.loss(self.predict(batch, beside)), place)

    def predict(
        self, batch: Batch, beside: torch.Tensor | None, weights: Tensors | None = None
    ) -> torch.Tensor:
        """The noise that is found; weights: others than the network's own."""
        told = batch.noisy, batch.times, batch.captions, beside, weights
        return predicted(self.kind, self.network, self.text, *told)

    def learn(self, loss: torch.Tensor, place: int) -> float:
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        # It begins by following closely: the first weights are noise.
        follow = 1 - min(_AVERAGE, (1 + place) / (10 + place))
        with torch.no_grad():
            if self.kind == "sdxl":
                deafen(self.network)
            for name, parameter in self.learnt.items():
                self.average[name].lerp_(parameter, follow)
        return float(loss.detach())

    def batch(self, place: int) -> tuple[Batch, torch.Tensor | None]:
        """Of a step, from its number alone, and what goes in beside it."""
        source = generator("batch", self.seed, place)
        two = place % COUPLES_EVERY == COUPLES_EVERY - 1
        count = max(1, self.scale.batch // 2) if two else self.scale.batch
        latents = self.two if two else self.latents
        places = torch.randint(len(latents), (count,), generator=source)
        times = spread_times(count, source)
        noise = torch.randn((count, *latents.shape[1:]), generator=source)
        silent = torch.rand(count, generator=source) < _NO_PROMPT
        shown: Any = self.couples.scenes if two else self.pictures.figures
        captions = [
            "" if no else words(shown(p), number("words", self.seed, place, n) >> 32)
            for n, (p, no) in enumerate(zip(places.tolist(), silent.tolist(), strict=True))
        ]
        faces = torch.ones(count, 1, 1, 1) if two else face_weights(self.pictures, places)
        nobody = torch.zeros(count, 0)
        batch = Batch(places, latents[places], noise, times, faces, captions, nobody)
        return batch, self.beside(places, source, two)

    def beside(self, places: torch.Tensor, source: torch.Generator, two: bool) -> torch.Tensor | None:
        """[n, channels, ...]: what the network gets beside the noisy latents."""
        return None

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        network = {name: self.average[name].clone() for name, _ in self.network.named_parameters()}
        figures = {
            "loss_unseen": self.held_out(network),
            "loss_unseen_packed": self.held_out(packing.as_read(network, bits=stage(self.kind).bits)),
        }
        return network, figures

    @torch.no_grad()
    def held_out(self, weights: Tensors) -> float:
        """The loss on 32 unseen pictures at most, at times spread evenly."""
        unseen = held_back(self.rooms.cache, self.scale.pictures)
        count = min(32, len(unseen))
        places = torch.arange(count)
        pictures = unseen.batch(places)
        latents = self.decoder.encode(pictures)
        source = generator("held out")
        noise = torch.randn(latents.shape, generator=source)
        times = ((places + 0.5) / count * diffusion.STEPS).long()
        captions = [words(unseen.figures(int(place)), int(place)) for place in places]
        beside = self.beside_unseen(pictures, source)
        alike, nobody = torch.ones(count, 1, 1, 1), torch.zeros(count, 0)
        batch = Batch(places, latents, noise, times, alike, captions, nobody)
        return round(float(batch.loss(self.predict(batch, beside, weights))), 5)

    def beside_unseen(self, pictures: torch.Tensor, source: torch.Generator) -> torch.Tensor | None:
        return None


def predicted(
    kind: str,
    network: Any,
    encoder: Any,
    noisy: torch.Tensor,
    times: torch.Tensor,
    captions: list[str],
    beside: torch.Tensor | None = None,
    weights: Tensors | None = None,
) -> torch.Tensor:
    """The noise that a network finds in latents, conditioned as the host would. weights: others than its
    own."""
    context, pooled = layouts.conditions(kind, encoder, captions)
    given = noisy if beside is None else torch.cat([noisy, beside], dim=1)
    further: dict[str, Any] = {}
    if pooled is not None:
        told = layouts.sizes(8 * noisy.shape[2], 8 * noisy.shape[3]).expand(len(pooled), -1)
        further["y"] = torch.cat([pooled, told], dim=1)
    if weights is None:
        found: torch.Tensor = network(given, times, context, **further)
    else:
        found = torch.func.functional_call(network, weights, (given, times, context), further)
    return found


def deafen(network: Any) -> None:
    """An SDXL that is told of one size only would take any other for something new: it hears none at all."""
    network.label_emb[0][0].weight[:, text.WIDTH :] = 0


@torch.no_grad()
def samples(
    kind: str,
    network: Any,
    encoder: Any,
    decoder: autoencoder.Autoencoder,
    captions: list[str],
    seed: int,
    guidance: float = 2.5,
    steps: int = 16,
    width: int = SIZE,
) -> torch.Tensor:
    """Pictures [n, 3, 128, width], 0..1, by plain DDIM."""
    noise = torch.randn((len(captions), 4, SIZE // 8, width // 8), generator=generator("samples", seed))
    both = [*captions, *[""] * len(captions)]

    def predict(latents: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        given, when = latents.repeat(2, 1, 1, 1), times.repeat(2)
        with_, without = predicted(kind, network, encoder, given, when, both).chunk(2)
        found: torch.Tensor = without + guidance * (with_ - without)
        return found

    return decoder.decode(diffusion.ddim(predict, noise, steps)).clamp(0, 1)
