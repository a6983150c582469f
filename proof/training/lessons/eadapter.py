"""An EmojiDiff-style expression adapter learns by our own trainer, on a frozen trunk.

On the SD1.5-shaped one alone, on the SDXL-shaped one beside InstantID's adapter, which says who it is. Each
picture's expression is shown by somebody else, so that a template carries nothing of that; the caption
hardly ever says it. Networks and beginnings are the trainer's. Its loss is not: faces weigh more here, and
the half-finished picture is asked what its face does, and who it is if that is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from training.chance import generator, number

from ...networks import as_diffusers, instantid, layouts
from ...networks import start as beginnings
from ...networks.attending import file_numbers, sites_of
from ...world.captions import caption, said, write
from ..batch import Batch, spread_times
from ..expressed import Expressed
from ..face_weights import face_weights
from ..latents import latents_of
from ..muon import Muon
from ..pictures import Album, album, held_back
from ..recognised import Recognised
from ..stages import Rooms, Scale, Tensors
from ..templates import features_of
from ..vectors import vectors_of
from .arc2face_expression import EXPRESSED
from .frozen import EACH, WHO

_WORDS_SAID = 0.2
#: Of the loss of the expression beside that of the noise. Beside InstantID's adapter, which holds who it is,
#: as much as elsewhere took a quarter of what can fall in 1,300 steps, and no likeness.
_EXPRESSED = {"sd15": EXPRESSED, "sdxl": 3 * EXPRESSED}


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> EAdapterLesson:
    return EAdapterLesson("sd15", scale, seed, rooms, made)


def silent(figure: Any, seed: int) -> str:
    """What is to be said of a figure but for its expression."""
    nothing = replace(said(figure), mood=0, mouth=0, brows=0, closed=False, gaze=0)
    return write([nothing]) if seed % 10 else ""


def trainer(seed: int, made: Mapping[str, Tensors], kind: str = "sd15") -> Any:
    """The trainer's own lesson on the drawn base. kind: sd15, or sdxl with InstantID's adapter in it."""
    from training.emojidiff.lesson import EmojiLesson
    from training.resampler import Sizes
    from training.text_to_image import BaseModel

    two = kind == "sdxl"
    base = BaseModel(
        as_diffusers.unet(kind, made[kind]),
        as_diffusers.Autoencoder(made["autoencoder"]),
        (as_diffusers.Encoder(kind),) * (2 if two else 1),
        (as_diffusers.tokenizer(),) * (2 if two else 1),
        as_diffusers.scheduler(),
    )
    vision = as_diffusers.Vision(made["vision"])
    width = int(base.unet.config.cross_attention_dim)
    sizes = Sizes(vision.config.hidden_size, width, 128, 2, 2)
    lesson = EmojiLesson(base, vision, _people(made["instantid"]) if two else None, sizes=sizes)
    beginnings.start(lesson.resampler, seed)
    return lesson


def _people(adapter: Tensors) -> Any:
    """InstantID's adapter as the trainer takes one for identities: the layers that are alive."""
    from likeness.adapters.projectors import build
    from likeness.weights.read import tensors_under
    from training.emojidiff.base import IdentityAdapter

    own = {there: here for here, there in numbers("sdxl").items()}
    layers = tensors_under(renamed(adapter, own), "ip_adapter")
    projector = build(tensors_under(adapter, "image_proj"))
    return IdentityAdapter("drawn InstantID", projector, dict(layers), unit=False)


def numbers(kind: str) -> dict[int, int]:
    """What the trainer calls the layers that learn, and what a file calls them."""
    there = file_numbers(sites_of(layouts.unet(kind, 0)))
    return {2 * place + 1: number for place, number in enumerate(there)}


def renamed(adapter: Mapping[str, Any], new: Mapping[int, int]) -> dict[str, Any]:
    """An adapter's tensors with new numbers of its layers; those that have none are left out."""
    made = {}
    for name, tensor in adapter.items():
        part, layer, rest = (*name.split(".", 2), "")[:3]
        if part != "ip_adapter":
            made[name] = tensor
        elif int(layer) in new:
            made[f"{part}.{new[int(layer)]}.{rest}"] = tensor
    return made


class EAdapterLesson:
    def __init__(self, kind: str, scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> None:
        self.kind, self.scale, self.seed, self.rooms = kind, scale, seed, rooms
        self.lesson = trainer(seed, made, kind)
        self.recogniser = made.get("recogniser", {})
        self.pictures = album(rooms.cache, "train", scale.pictures, EACH, 32)
        coder = self.lesson.vae.model
        self.latents = latents_of(self.pictures, coder, rooms.cache, "train")
        self.eyes = self.lesson.vision.model
        self.features = features_of(self.eyes, self.pictures, rooms.cache, "train")
        self.vectors = self._who(self.pictures, "train")
        self.expressed = Expressed(made["expression_reader"], self.pictures)
        self.recognised = Recognised(made["reader"], self.pictures) if self.recogniser else None
        self.learnt: dict[str, torch.nn.Parameter] = renamed(self.lesson.trained(), numbers(kind))
        with torch.no_grad():  # it begins as changing nothing
            for name, parameter in self.learnt.items():
                if name.endswith("to_v_ip.weight"):
                    parameter.zero_()
        self.optimiser = Muon(list(self.learnt.items()), rate=0.01, plain_rate=2e-3)

    def _who(self, pictures: Album, name: str) -> torch.Tensor:
        """[n, 512]; [n, 0] where nobody is told who it is."""
        if not self.recogniser:
            return torch.zeros(len(pictures), 0)
        return vectors_of(pictures, self.recogniser, self.rooms.cache, name)

    def trained(self) -> Mapping[str, torch.Tensor]:
        return self.learnt

    def step(self, place: int) -> float:
        batch, features, told = self.batch(place)
        found = self.found(batch, features)
        loss = batch.loss(found) + _EXPRESSED[self.kind] * self.expressed.loss(batch, found, told)
        if self.recognised is not None:
            loss = loss + WHO * self.recognised.loss(batch, found)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    @torch.no_grad()
    def batch(self, place: int) -> tuple[Batch, torch.Tensor, torch.Tensor]:
        """Of a step, what it is shown, and bool [n]: whether that is an expression."""
        from training.emojidiff.lesson import left_out

        source, count = generator("batch", self.seed, place), self.scale.batch
        places = torch.randint(len(self.pictures), (count,), generator=source)
        no_text, nobody, no_expression = left_out(count, source)
        spoken = torch.rand(count, generator=source) < _WORDS_SAID
        words = []
        for n, p in enumerate(places.tolist()):
            figure, chance = self.pictures.figures(p), number("words", self.seed, place, n) >> 32
            text = caption(figure, seed=chance, left_out=0.15) if spoken[n] else silent(figure, chance)
            words.append("" if no_text[n] else text)
        features = self.features[places].float()
        features[no_expression] = self.black()
        others = places // EACH * EACH + (places + 1 + places % (EACH - 1)) % EACH
        vectors = self.vectors[others] * ~nobody[:, None]
        noise = torch.randn((count, *self.latents.shape[1:]), generator=source)
        times, faces = spread_times(count, source), face_weights(self.pictures, places)
        batch = Batch(places, self.latents[places], noise, times, faces, words, vectors)
        return batch, features, ~no_expression

    @torch.no_grad()
    def black(self) -> torch.Tensor:
        """Features of no expression: those of a black template."""
        found: torch.Tensor = self.lesson.features(torch.zeros(1, 3, 224, 224))
        return found

    def found(self, batch: Batch, features: torch.Tensor) -> torch.Tensor:
        """The noise that the trainer's network finds, shown these features."""
        with torch.no_grad():
            person = self.lesson.person(batch.vectors, torch.zeros(len(batch.places), dtype=torch.bool))
            text = self.lesson.texts(batch.captions, 8 * batch.noise.shape[-1], batch.noise.device)
        given = {"person": person, **text}
        answer: torch.Tensor = self.lesson.noise(
            batch.noisy, batch.times, given, self.lesson.resampler(features)
        )
        return answer

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        made = {name: parameter.detach().clone() for name, parameter in self.learnt.items()}
        return instantid.whole(made) if self.kind == "sdxl" else made, self.measured()

    @torch.no_grad()
    def measured(self) -> dict[str, float]:
        """Losses on unseen people: shown their own expression, another's, and none, on the same noise."""
        unseen = held_back(self.rooms.cache, self.scale.pictures)
        count = min(64, len(unseen))
        latents = latents_of(unseen, self.lesson.vae.model, self.rooms.cache, "unseen")[:count]
        own = features_of(self.eyes, unseen, self.rooms.cache, "unseen")[:count].float()
        words = [silent(unseen.figures(place), 1) for place in range(count)]
        vectors = self._who(unseen, "unseen")[torch.arange(count) ^ 1]
        source, places = generator("held out"), torch.arange(count)
        noise, faces = torch.randn(latents.shape, generator=source), face_weights(unseen, places)
        batch = Batch(places, latents, noise, spread_times(count, source), faces, words, vectors)
        given = {"own": own, "other": own.roll(1, dims=0), "none": self.black().expand(count, -1, -1)}
        return {
            f"loss_{name}": round(float(batch.loss(self.found(batch, features))), 5)
            for name, features in given.items()
        }
