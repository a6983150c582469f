"""What recogniser and judge share: pictures of one person belong together, those of others do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from training.chance import generator, number

from ...networks import recognisers
from ...networks.crops import batch, crop, jitter
from ...networks.start import start
from ...world.draw import draw
from ...world.people import Person
from ...world.scene import figure as looks
from ..muon import Muon
from ..pictures import STREAMS, Album, album, figure_of
from ..stages import Rooms, Scale, Tensors

#: People after each other in an album who share a skin: within them only geometry helps.
GROUP = 32
EACH = 4
_TEMPERATURE = 0.08


class FacesLesson:
    """Contrast between two pictures of each person of two groups, and the person's true numbers beside it."""

    def __init__(
        self,
        network: recognisers.Recogniser | recognisers.Judge,
        frame: tuple[int, float],
        pictures: Album,
        unseen: Rooms,
        scale: Scale,
        seed: int,
        shift: float = 0.0,
    ) -> None:
        """shift: of faces in their crops, see jitter."""
        self.network, self.frame, self.pictures, self.rooms = network, frame, pictures, unseen
        self.shift = shift
        self.scale, self.seed = scale, seed
        start(network, seed)
        named = list(network.named_parameters())
        self.optimiser = Muon(
            named, rate=0.01, plain_rate=2e-3, plain=lambda name: name.startswith("numbers")
        )

    def trained(self) -> Mapping[str, torch.Tensor]:
        return dict(self.network.named_parameters())

    def step(self, place: int) -> float:
        source = generator("people", self.seed, place)
        chance = np.random.default_rng(number("looks", self.seed, place))
        count = self.scale.batch // 2
        people = len(self.pictures) // EACH
        group = min(GROUP, count)
        first = torch.randint(people // group, (count // group,), generator=source) * group
        chosen = (first[:, None] + torch.arange(group)).flatten()
        pairs = torch.stack([torch.randperm(EACH, generator=source)[:2] for _ in chosen])
        places = (chosen[:, None] * EACH + pairs).T.flatten().tolist()
        crops = []
        for p in places:
            picture = _worn(self.pictures.pictures[p], chance)
            crops.append(crop(picture, jitter(self.pictures.points[p], chance, self.shift), self.frame))
        vectors = self.network(batch(crops))
        truth = torch.from_numpy(np.stack([self.pictures.figures(p).person.numbers for p in places]))
        loss = contrast(vectors, len(chosen)) + 2.0 * functional.mse_loss(
            self.network.numbers(vectors * 8), truth
        )
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        people = min(150, self.scale.pictures // 8)
        figures = measured(self.network, self.frame, self.rooms, people)
        return {name: tensor.detach() for name, tensor in self.network.state_dict().items()}, figures


def contrast(vectors: torch.Tensor, people: int) -> torch.Tensor:
    """Of [2 * people, width], the second half the same people again: each must find its other picture."""
    alike = vectors @ vectors.T / _TEMPERATURE
    alike = alike.masked_fill(torch.eye(len(vectors), dtype=torch.bool), -1e4)
    return functional.cross_entropy(alike, torch.arange(2 * people).roll(people))


def _worn(picture: NDArray[np.uint8], chance: np.random.Generator) -> NDArray[np.uint8]:
    """Softer, brighter, darker or noisier, as decoded and sampled pictures are."""
    worn: NDArray[np.float64] = picture.astype(np.float64)
    if chance.random() < 0.5:
        worn = cv2.GaussianBlur(worn, (0, 0), float(chance.uniform(0.4, 1.4)))
    worn = worn * chance.uniform(0.9, 1.1, 3) + chance.uniform(-12, 12, 3)
    if chance.random() < 0.5:
        worn = worn + chance.normal(0, chance.uniform(0, 6), worn.shape)
    return worn.clip(0, 255).astype(np.uint8)


def begin_album(rooms: Rooms, stream: str, scale: Scale) -> Album:
    return album(rooms.cache, stream, scale.pictures, EACH, GROUP)


@torch.no_grad()
def measured(
    network: recognisers.Recogniser | recognisers.Judge, frame: tuple[int, float], rooms: Rooms, people: int
) -> dict[str, float]:
    """On unseen people, with points as a detector gives them: with everybody's own skin and hair (auc), all
    of one skin and hair (auc_alike), that without marks and with heads turned and tilted (auc_hard), and with
    a new person in every picture, which must be a half: else something beside the person gives pairs away."""
    figures = {}
    for name in ("auc", "auc_alike", "auc_hard", "auc_control"):
        vectors = vectors_of(network, frame, people, name.removeprefix("auc_"))
        same, other = pairs(vectors, people)
        figures[name] = round(auc(same, other), 4)
        figures[f"same{name[3:]}"] = round(float(same.mean()), 3)
        figures[f"other{name[3:]}"] = round(float(other.mean()), 3)
        limit = float(np.quantile(other, 0.99))
        figures[f"tar_at_far_1{name[3:]}"] = round(float((same > limit).mean()), 3)
    return figures


def vectors_of(
    network: recognisers.Recogniser | recognisers.Judge, frame: tuple[int, float], people: int, kind: str
) -> torch.Tensor:
    """[people * EACH, width] of unseen people; kind as in `measured`."""
    chance = np.random.default_rng(5)
    crops = []
    for place in range(people * EACH):
        figure = figure_of("unseen", place, EACH)
        if kind == "control":
            figure = replace(figure, person=Person.of(STREAMS["unseen"] + 900_000 + place))
        if kind == "hard":
            figure = looks(STREAMS["unseen"] + place, figure.person, wide=True)
        if kind != "auc":
            dressed = replace(figure.attributes, hair_style="short", hair_colour="brown", hat="")
            marks = {"mole": -1.0, "freckles": -1.0, "lines": -1.0} if kind == "hard" else {}
            person = figure.person.with_({"skin": 0.0, **marks})
            figure = replace(figure, attributes=dressed, person=person)
        drawing = draw(figure, 128)
        crops.append(crop(drawing.picture, jitter(drawing.points[0], chance), frame))
    return torch.cat([network(batch(crops[n : n + 50])) for n in range(0, len(crops), 50)])


def pairs(vectors: torch.Tensor, people: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cosines of pictures of one person, and of different people."""
    alike = (vectors @ vectors.T).double().numpy()
    who = np.arange(people).repeat(len(vectors) // people)
    upper = np.triu(np.ones_like(alike, dtype=bool), 1)
    same = who[:, None] == who[None]
    return alike[upper & same], alike[upper & ~same]


def auc(same: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The chance that a pair of one person is more alike than a pair of two."""
    ordered = np.sort(other)
    below = np.searchsorted(ordered, same, "left") + np.searchsorted(ordered, same, "right")
    return float(below.mean() / 2 / len(other))
