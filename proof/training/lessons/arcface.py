"""PVA's face encoder, in ArcFace's layout, learns to say what the recogniser says of the same face."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch.nn import functional

from likeness.faces.iresnet import IResNet
from training.chance import generator

from ...networks.onnx_recogniser import LENGTH
from ...networks.start import start
from ..aligned import crops_of, shown
from ..muon import Muon
from ..pictures import album, held_back
from ..stages import Rooms, Scale, Tensors
from ..vectors import vectors_of
from .faces import auc, pairs

_STEM, _WIDTHS, _BLOCKS, _VECTOR = 12, (16, 24, 32, 32), (1, 1, 1, 1), 512
#: So many pictures are cut out, at 17 ms each.
_SEEN = 6000


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> ArcFaceLesson:
    return ArcFaceLesson(scale, seed, rooms, made)


class ArcFaceLesson:
    def __init__(self, scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> None:
        self.scale, self.seed, self.rooms, self.recogniser = scale, seed, rooms, made["recogniser"]
        pictures = album(rooms.cache, "train", scale.pictures, 4, 32)
        self.count = min(_SEEN, len(pictures))
        self.crops = crops_of(pictures, self.count, rooms.cache, "train")
        self.vectors = vectors_of(pictures, self.recogniser, rooms.cache, "train")[: self.count]
        self.network = IResNet(_STEM, _WIDTHS, _BLOCKS, _VECTOR).eval()
        start(self.network, seed)
        with torch.no_grad():  # it begins far louder than LENGTH
            self.network.fc.weight.mul_(0.03)
        # Its norms keep the statistics that they begin with: they are factors and nothing else.
        self.optimiser = Muon(list(self.network.named_parameters()), rate=0.01, plain_rate=2e-3)

    def trained(self) -> Mapping[str, torch.Tensor]:
        return dict(self.network.named_parameters())

    def step(self, place: int) -> float:
        source = generator("batch", self.seed, place)
        places = torch.randint(self.count, (self.scale.batch,), generator=source)
        wanted = self.vectors[places] / LENGTH
        found = self.network(shown(self.crops[places])) / LENGTH
        # Told apart from all others of the batch as well: faces are alike, and a mean is soon learnt.
        alike = functional.normalize(found) @ wanted.T / 0.1
        loss = (found - wanted).square().sum(1).mean()
        loss = loss + 0.2 * functional.cross_entropy(alike, torch.arange(len(places)))
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        counters = "num_batches_tracked"
        tensors = {n: t.detach().clone() for n, t in self.network.state_dict().items() if counters not in n}
        return tensors, self.measured()

    @torch.no_grad()
    def measured(self) -> dict[str, float]:
        """cosine: with the recogniser's vectors of unseen people; auc: of telling them apart."""
        unseen = held_back(self.rooms.cache, self.scale.pictures)
        crops = crops_of(unseen, len(unseen), self.rooms.cache, "unseen")
        found = torch.cat([self.network(shown(part)) for part in crops.split(50)])
        known = vectors_of(unseen, self.recogniser, self.rooms.cache, "unseen")
        same, other = pairs(functional.normalize(found), len(unseen) // 2)
        cosine = float(functional.cosine_similarity(found, known).mean())
        return {
            "cosine": round(cosine, 3),
            "auc": round(auc(same, other), 4),
            "same": round(float(np.mean(same)), 3),
            "other": round(float(np.mean(other)), 3),
        }
