"""A network learns to draw what a prompt says: the noise in latents, for a picture's own caption."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from training.chance import generator, number

from ...networks import autoencoder, diffusion, layouts
from ..latents import latents_of
from ..muon import Muon
from ..pictures import album, held_back, words
from ..stages import Rooms, Scale, Tensors

#: Prompts left out whole, so that guidance has something to lead away from.
_NO_PROMPT = 0.1
_AVERAGE = 0.995
_EMA = "average."


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> TrunkLesson:
    return TrunkLesson("sd15", scale, seed, rooms, made["autoencoder"])


class TrunkLesson:
    def __init__(self, kind: str, scale: Scale, seed: int, rooms: Rooms, decoder: Tensors) -> None:
        self.scale, self.seed, self.rooms = scale, seed, rooms
        self.pictures = album(rooms.cache, "train", scale.pictures, 4, 32)
        self.decoder = autoencoder.load(decoder)
        self.latents = latents_of(self.pictures, self.decoder, rooms.cache, "train")
        self.network = layouts.unet(kind, seed)
        self.text = layouts.text_encoder()
        self.learnt = dict(self.network.named_parameters())
        self.average = {name: parameter.detach().clone() for name, parameter in self.learnt.items()}
        ends = ("input_blocks.0.", "out.", "time_embed.")
        self.optimiser = Muon(
            list(self.learnt.items()), rate=0.01, plain_rate=2e-3, plain=lambda name: name.startswith(ends)
        )

    def trained(self) -> Mapping[str, torch.Tensor]:
        return self.learnt | {_EMA + name: tensor for name, tensor in self.average.items()}

    def step(self, place: int) -> float:
        latents, noise, times, context = self.batch(place)
        found = self.network(diffusion.noised(latents, noise, times), times, context)
        error = (found - noise).square().mean((1, 2, 3))
        loss = (diffusion.weights(times) * error).mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        # It begins by following closely: the first weights are noise.
        follow = 1 - min(_AVERAGE, (1 + place) / (10 + place))
        with torch.no_grad():
            for name, parameter in self.learnt.items():
                self.average[name].lerp_(parameter, follow)
        return float(loss.detach())

    def batch(self, place: int) -> tuple[torch.Tensor, ...]:
        """Latents, noise, times [n] and context of a step, from its number alone."""
        source = generator("batch", self.seed, place)
        count = self.scale.batch
        places = torch.randint(len(self.pictures), (count,), generator=source)
        # Times spread evenly over a batch: every batch has its share of each.
        even = (torch.arange(count) + torch.rand(count, generator=source)) / count
        times = (even * diffusion.STEPS).long().clamp(max=diffusion.STEPS - 1)
        noise = torch.randn((count, *self.latents.shape[1:]), generator=source)
        silent = torch.rand(count, generator=source) < _NO_PROMPT
        captions = [
            "" if no else words(self.pictures.figures(p), number("words", self.seed, place, n) >> 32)
            for n, (p, no) in enumerate(zip(places.tolist(), silent.tolist(), strict=True))
        ]
        return self.latents[places], noise, times, context(self.text, captions)

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        loss = held_out(self.network, self.average, self.text, self.decoder, self.rooms, self.scale.pictures)
        return {name: tensor.clone() for name, tensor in self.average.items()}, {"loss_unseen": loss}


@torch.no_grad()
def context(encoder: Any, captions: list[str]) -> torch.Tensor:
    found: torch.Tensor = encoder(layouts.tokens(captions))[0]
    return found


@torch.no_grad()
def held_out(
    network: Any, average: Tensors, encoder: Any, decoder: autoencoder.Autoencoder, rooms: Rooms, count: int
) -> float:
    """The loss on 32 unseen pictures, at times spread evenly."""
    unseen = held_back(rooms.cache, count)
    places = torch.arange(32)
    latents = decoder.encode(unseen.batch(places))
    source = generator("held out")
    noise = torch.randn(latents.shape, generator=source)
    times = ((places + 0.5) / 32 * diffusion.STEPS).long()
    said = context(encoder, [words(unseen.figures(int(place)), int(place)) for place in places])
    found = torch.func.functional_call(
        network, average, (diffusion.noised(latents, noise, times), times, said)
    )
    error = (found - noise).square().mean((1, 2, 3))
    return round(float((diffusion.weights(times) * error).mean()), 5)


@torch.no_grad()
def samples(
    network: Any,
    encoder: Any,
    decoder: autoencoder.Autoencoder,
    captions: list[str],
    seed: int,
    guidance: float = 2.5,
    steps: int = 16,
) -> torch.Tensor:
    """Pictures [n, 3, 128, 128], 0..1, by plain DDIM."""
    said, nothing = context(encoder, captions), context(encoder, [""]).expand(len(captions), -1, -1)
    noise = torch.randn((len(captions), 4, 16, 16), generator=generator("samples", seed))

    def predict(latents: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        both = network(latents.repeat(2, 1, 1, 1), times.repeat(2), torch.cat([said, nothing]))
        with_, without = both.chunk(2)
        found: torch.Tensor = without + guidance * (with_ - without)
        return found

    return decoder.decode(diffusion.ddim(predict, noise, steps)).clamp(0, 1)
