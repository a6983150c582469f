"""The classifier learns from true pictures and some through the autoencoder: it will judge decoded ones."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.nn import functional

from training.chance import generator

from ...networks import autoencoder
from ...networks.classifier import HEADS, Classifier, targets
from ...networks.start import start
from ..decoded import decoded, mixed
from ..muon import Muon
from ..pictures import Album, album, held_back, told
from ..stages import Rooms, Scale, Tensors

#: So many pictures are decoded once: each time anew would cost more than the lesson.
_DECODED = 1024


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> ClassifierLesson:
    decoder = autoencoder.load(made["autoencoder"])
    return ClassifierLesson(scale, seed, rooms, album(rooms.cache, "judge", scale.pictures, 4, 32), decoder)


class ClassifierLesson:
    def __init__(
        self, scale: Scale, seed: int, rooms: Rooms, pictures: Album, decoder: autoencoder.Autoencoder
    ) -> None:
        self.scale, self.seed, self.rooms, self.pictures = scale, seed, rooms, pictures
        self.decoder = decoder
        self.choices, self.numbers = truths(pictures)
        self.decoded = decoded(decoder, pictures, torch.arange(min(_DECODED, len(pictures) // 2)))
        self.network = Classifier()
        start(self.network, seed)
        named = list(self.network.named_parameters())
        ends = ("heads.", "expression.")
        self.optimiser = Muon(named, rate=0.01, plain_rate=2e-3, plain=lambda name: name.startswith(ends))

    def trained(self) -> Mapping[str, torch.Tensor]:
        return dict(self.network.named_parameters())

    def step(self, number: int) -> float:
        source = generator("pictures", self.seed, number)
        places, pictures = mixed(self.pictures, self.decoded, self.scale.batch, source)
        seen = self.network(pictures)
        choices = self.choices[places]
        loss = 2 * functional.mse_loss(seen["expression"], self.numbers[places])
        for place, name in enumerate(HEADS):
            loss = loss + functional.cross_entropy(seen[name], choices[:, place])
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        unseen = held_back(self.rooms.cache, self.scale.pictures)
        figures: dict[str, float] = {}
        for kind, decode in (("true", False), ("decoded", True)):
            scores = measured(self.network, unseen, self.decoder if decode else None)
            figures |= {f"{kind}_{name}": score for name, score in scores.items()}
        return {name: tensor.detach() for name, tensor in self.network.state_dict().items()}, figures


def truths(pictures: Album) -> tuple[torch.Tensor, torch.Tensor]:
    """int64 [n, heads] and float32 [n, 5]."""
    rows = [targets(pictures.figures(place), said) for place, said in enumerate(told(pictures))]
    return torch.tensor([choices for choices, _ in rows]), torch.tensor([numbers for _, numbers in rows])


@torch.no_grad()
def measured(
    network: Classifier, unseen: Album, decoder: autoencoder.Autoencoder | None = None
) -> dict[str, float]:
    """Part that is right of each head, and of all; mean error of the expression."""
    choices, numbers = truths(unseen)
    right, errors = [], []
    for places in torch.arange(len(unseen)).split(20):
        pictures = unseen.batch(places)
        if decoder is not None:
            pictures = decoder.decode(decoder.encode(pictures)).clamp(0, 1)
        seen = network(pictures)
        found = torch.stack([seen[name].argmax(1) for name in HEADS], dim=1)
        right.append(found == choices[places])
        errors.append((seen["expression"] - numbers[places]).abs())
    part = torch.cat(right).float()
    figures = {name: round(float(part[:, place].mean()), 4) for place, name in enumerate(HEADS)}
    return figures | {
        "all": round(float(part.mean()), 4),
        "expression_error": round(float(torch.cat(errors).mean()), 4),
    }
