"""PVA learns by our own trainer, on the frozen SD2-inpainting-shaped trunk: a hole filled with the person.

Networks, material and beginnings are the trainer's. Its loss is not: faces weigh more here, and the
half-finished picture is asked who it shows, for the noise alone says little to networks this small.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from likeness.choices.pva import PLACEHOLDER
from likeness.faces.iresnet import build_iresnet
from training.chance import generator, number

from ...networks import as_diffusers, text
from .. import batch as batches
from ..aligned import crops_of, shown
from ..face_weights import face_weights
from ..muon import Muon
from ..pictures import Album, album, held_back, words
from ..recognised import Recognised
from ..stages import Rooms, Scale, Tensors
from ..vectors import vectors_of
from .frozen import EACH, EACH_UNSEEN, WHO

#: As in training.pva: at most so many references here, and how often the text is plain.
_REFERENCES, _PLAIN = 2, 0.5
_TEXT = f"a {PLACEHOLDER} person"
_TOKENS, _LAYERS, _INNER = 10, 2, 256
#: The face among the labels, and by how much its box is larger than it.
_FACE, _LARGER = tuple(range(1, 14)), 1.2
_FACES = "face_net.facenet."
#: So many pictures have been cut out for the face encoder.
_SEEN = 6000


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> PVALesson:
    return PVALesson(scale, seed, rooms, made)


def trainer(seed: int, made: Mapping[str, Tensors]) -> Any:
    """The trainer's own lesson, on the drawn base."""
    from likeness.adapters.projectors import IdentityTransformer
    from likeness.methods.pva.content import Base
    from training.pva.base import InpaintingModel
    from training.pva.lesson import PVALesson as Trainer

    base = InpaintingModel(
        as_diffusers.unet("sd2_inpaint", made["sd2_inpaint"]),
        as_diffusers.Autoencoder(made["autoencoder"]),
        as_diffusers.Encoder("sd2_inpaint"),
        as_diffusers.tokenizer(),
        as_diffusers.scheduler(),
    )
    faces = build_iresnet(made["arcface"], "arcface")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(number("beginning", seed))
        transformer = IdentityTransformer(512, text.WIDTH, _TOKENS, _LAYERS, _INNER)
    beginning = Base("drawn", torch.zeros(text.WIDTH), transformer, {}, faces)
    return Trainer(base, faces, start=beginning, parts=1, sample_latents=False)


class PVALesson:
    def __init__(self, scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> None:
        self.scale, self.seed, self.rooms = scale, seed, rooms
        self.lesson = trainer(seed, made)
        self.pictures = album(rooms.cache, "train", scale.pictures, EACH, 32)
        self.count = min(_SEEN, len(self.pictures))
        self.crops = crops_of(self.pictures, self.count, rooms.cache, "train")
        self.vectors = vectors_of(self.pictures, made["recogniser"], rooms.cache, "train")
        self.recognised = Recognised(made["reader"], self.pictures)
        self.learnt = dict(self.lesson.trained())
        self.optimiser = Muon(
            list(self.learnt.items()),
            rate=0.005,
            plain_rate=1e-3,
            plain=lambda name: name.endswith(("q_tokens", "pos_enc")),
        )

    def trained(self) -> Mapping[str, torch.Tensor]:
        return self.learnt

    def step(self, place: int) -> float:
        source, count = generator("batch", self.seed, place), self.scale.batch
        places = torch.randint(self.count, (count,), generator=source)
        kept = int(torch.randint(1, _REFERENCES + 1, (), generator=source))
        first = torch.randint(1, EACH - 1, (count,), generator=source)
        others = [places // EACH * EACH + (places + first + n) % EACH for n in range(kept)]
        faces = torch.stack([shown(self.crops[other]) for other in others], dim=1)
        batch = self.batch(self.pictures, places, faces, source)
        with torch.no_grad():
            prepared = self.lesson.prepare_batch(batch, source)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(number("dropout", self.seed, place))  # of the identity transformer
            asked, found = self.answered(self.pictures, places, prepared, self.vectors[others[0]])
        loss = asked.loss(found) + WHO * self.recognised.loss(asked, found)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    def batch(
        self, pictures: Album, places: torch.Tensor, faces: torch.Tensor, source: torch.Generator
    ) -> Any:
        """As the trainer takes it."""
        from training.pva.lesson import Batch

        plain = torch.rand(len(places), generator=source) < _PLAIN
        texts = []
        for n, place in enumerate(places.tolist()):
            said = words(pictures.figures(place), number("words", self.seed, place, n) >> 32)
            personal = said.replace(" person", f" {PLACEHOLDER} person", 1)
            texts.append(_TEXT if plain[n] else personal)
        labels = np.stack([pictures.labels[int(place)] for place in places])
        holes = torch.stack([hole(one) for one in labels])[:, None]
        return Batch(pictures.batch(places) * 2 - 1, holes, faces, texts)

    def answered(
        self,
        pictures: Album,
        places: torch.Tensor,
        prepared: Mapping[str, torch.Tensor],
        vectors: torch.Tensor,
    ) -> tuple[batches.Batch, torch.Tensor]:
        """What was asked, in the drawn world's terms, and the noise that the trainer's network finds.
        vectors [n, 512]: who it should be, as the recogniser says it."""
        times, noise, faces = prepared["times"][0], prepared["noise"][0], face_weights(pictures, places)
        asked = batches.Batch(places, prepared["clean"], noise, times, faces, [], vectors)
        context = self.lesson.context(prepared["ids"], prepared["people"])
        return asked, self.lesson.noise(asked.noisy, prepared["around"], times, context)

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        from training.pva.export import content

        # The face encoder is a stage of its own: `whole` puts it back.
        kept = {name: t for name, t in content(self.lesson).items() if not name.startswith(_FACES)}
        return kept, self.measured()

    @torch.no_grad()
    def measured(self) -> dict[str, float]:
        """Losses on unseen people with their own other picture, and with another's, on the same noise."""
        self.lesson.train(False)
        unseen = held_back(self.rooms.cache, self.scale.pictures)
        count = min(64, len(unseen))
        places = torch.arange(count)
        crops = crops_of(unseen, len(unseen), self.rooms.cache, "unseen")
        faces = shown(crops[places ^ 1])[:, None]
        figures = {}
        for name, given in (("own", faces), ("other", faces.roll(EACH_UNSEEN, dims=0))):
            source = generator("held out")
            prepared = self.lesson.prepare_batch(self.batch(unseen, places, given, source), source)
            asked, found = self.answered(unseen, places, prepared, torch.zeros(count, 512))
            figures[f"loss_{name}"] = round(float(asked.loss(found)), 5)
        return figures


def whole(pva: Tensors, faces: Tensors) -> Tensors:
    """The file: with the face encoder in it."""
    return {**pva, **{_FACES + name: tensor for name, tensor in faces.items()}}


def hole(labels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> torch.Tensor:
    """[H, W], 1 in the box around a face, in steps of 8 pixels as our node's are."""
    side = len(labels)
    rows, columns = (np.flatnonzero(np.isin(labels, _FACE).any(axis=axis)) for axis in (1, 0))
    small = torch.zeros(1, 1, side // 8, side // 8)
    spans = []
    for found in (rows, columns):
        low, high = (float(found[0]), float(found[-1] + 1)) if len(found) else (0.0, float(side))
        middle, half = (low + high) / 2, (high - low) / 2 * _LARGER
        spans.append(slice(max(0, round((middle - half) / 8)), round((middle + half) / 8)))
    small[0, 0, spans[0], spans[1]] = 1
    return functional.interpolate(small, size=(side, side), mode="nearest")[0, 0]
