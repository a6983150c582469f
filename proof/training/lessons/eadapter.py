"""An EmojiDiff-style expression adapter learns by our own trainer, on the frozen SD1.5-shaped trunk.

Each picture's expression is shown by somebody else, so that a template carries nothing of who it is; the
caption hardly ever says it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from training.chance import generator, number

from ...networks import as_diffusers
from ...networks import start as beginnings
from ...world.captions import caption, said, write
from ..latents import latents_of
from ..muon import Muon
from ..pictures import album, held_back
from ..stages import Rooms, Scale, Tensors
from ..templates import features_of

#: Pictures whose expressions are shown: so many templates are made, at 25 ms each.
_TEMPLATES = 5000
_WORDS_SAID = 0.2


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> EAdapterLesson:
    return EAdapterLesson(scale, seed, rooms, made)


def silent(figure: Any, seed: int) -> str:
    """What is to be said of a figure but for its expression."""
    nothing = replace(said(figure), mood=0, mouth=0, brows=0, closed=False, gaze=0)
    return write([nothing]) if seed % 10 else ""


def trainer(seed: int, made: Mapping[str, Tensors]) -> Any:
    """The trainer's own lesson on the drawn base."""
    from training.emojidiff.base import BaseModel
    from training.emojidiff.lesson import EmojiLesson
    from training.emojidiff.resampler import Sizes

    base = BaseModel(
        as_diffusers.unet("sd15", made["sd15"]),
        as_diffusers.Autoencoder(made["autoencoder"]),
        (as_diffusers.Encoder("sd15"),),
        (as_diffusers.tokenizer(),),
        as_diffusers.scheduler(),
    )
    vision = as_diffusers.Vision()
    width = int(base.unet.config.cross_attention_dim)
    lesson = EmojiLesson(base, vision, sizes=Sizes(vision.config.hidden_size, width, 128, 2, 2))
    beginnings.start(lesson.resampler, seed)
    return lesson


class EAdapterLesson:
    def __init__(self, scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> None:
        self.scale, self.seed, self.rooms = scale, seed, rooms
        self.lesson = trainer(seed, made)
        self.pictures = album(rooms.cache, "train", scale.pictures, 4, 32)
        self.count = min(_TEMPLATES, scale.pictures)
        coder = self.lesson.vae.model
        self.latents = latents_of(self.pictures, coder, rooms.cache, "train")
        self.features = features_of(self.pictures, self.count, rooms.cache, "train")
        self.learnt = dict(self.lesson.trained())
        with torch.no_grad():  # it begins as changing nothing
            for name, parameter in self.learnt.items():
                if name.endswith("to_v_ip.weight"):
                    parameter.zero_()
        self.optimiser = Muon(list(self.learnt.items()), rate=0.01, plain_rate=2e-3)

    def trained(self) -> Mapping[str, torch.Tensor]:
        return self.learnt

    def step(self, place: int) -> float:
        loss = self.lesson(self.prepared(place), 0)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    @torch.no_grad()
    def prepared(self, place: int) -> dict[str, torch.Tensor]:
        """What the trainer's prepare_batch gives, with latents and features that were made before."""
        from training.emojidiff.lesson import left_out

        source, count = generator("batch", self.seed, place), self.scale.batch
        places = torch.randint(self.count, (count,), generator=source)
        no_text, _, no_expression = left_out(count, source)
        spoken = torch.rand(count, generator=source) < _WORDS_SAID
        words = []
        for n, p in enumerate(places.tolist()):
            figure, chance = self.pictures.figures(p), number("words", self.seed, place, n) >> 32
            text = caption(figure, seed=chance, left_out=0.15) if spoken[n] else silent(figure, chance)
            words.append("" if no_text[n] else text)
        features = self.features[places].float()
        features[no_expression] = self.black()
        return self._batch(self.latents[places], words, features, source)

    @torch.no_grad()
    def black(self) -> torch.Tensor:
        """Features of no expression: those of a black template."""
        found: torch.Tensor = self.lesson.features(torch.zeros(1, 3, 224, 224))
        return found

    def _batch(
        self, clean: torch.Tensor, words: list[str], features: torch.Tensor, source: torch.Generator
    ) -> dict[str, torch.Tensor]:
        count = len(clean)
        even = (torch.arange(count) + torch.rand(count, generator=source)) / count
        times = (even * len(self.lesson.alphas)).long().clamp(max=len(self.lesson.alphas) - 1)
        noise = torch.randn(clean.shape, generator=source)
        nobody = self.lesson.person(torch.zeros(count, 0), torch.ones(count, dtype=torch.bool))
        prepared = {"clean": clean, "times": times, "noise": noise, "person": nobody, "features": features}
        text: dict[str, torch.Tensor] = self.lesson.texts(words, 8 * clean.shape[-1], clean.device)
        return prepared | text

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        return {name: p.detach().clone() for name, p in self.learnt.items()}, self.measured()

    @torch.no_grad()
    def measured(self) -> dict[str, float]:
        """Losses on unseen people: shown their own expression, another's, and none, on the same noise."""
        unseen = held_back(self.rooms.cache, self.scale.pictures)
        count = min(64, len(unseen))
        latents = latents_of(unseen, self.lesson.vae.model, self.rooms.cache, "unseen")[:count]
        own = features_of(unseen, count, self.rooms.cache, "unseen").float()
        words = [silent(unseen.figures(place), 1) for place in range(count)]
        given = {"own": own, "other": own.roll(1, dims=0), "none": self.black().expand(count, -1, -1)}
        return {
            f"loss_{name}": round(
                float(self.lesson(self._batch(latents, words, features, generator("held out")), 0)), 5
            )
            for name, features in given.items()
        }
