"""The reader of expressions learns to say of latents what the face in them does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch.nn import functional

from ...networks import autoencoder, reader
from ..expressions import truths
from ..latents import latents_of
from ..pictures import album, held_back
from ..stages import Rooms, Scale, Tensors
from .frozen import EACH
from .reader import OnLatents


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> ExpressionReaderLesson:
    return ExpressionReaderLesson(scale, seed, rooms, made)


class ExpressionReaderLesson(OnLatents):
    def __init__(self, scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> None:
        self.scale, self.rooms = scale, rooms
        self.decoder = autoencoder.load(made["autoencoder"])
        pictures = album(rooms.cache, "train", scale.pictures, EACH, 32)
        latents = latents_of(pictures, self.decoder, rooms.cache, "train")
        self.truths = truths(pictures, torch.arange(len(pictures)))
        super().__init__(reader.ExpressionReader(), pictures, latents, scale.batch, seed)

    def loss(self, found: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        return functional.mse_loss(found, self.truths[places])

    @torch.no_grad()
    def finish(self) -> tuple[Tensors, dict[str, float]]:
        """Mean errors on unseen people, and that of saying the mean of all."""
        unseen = held_back(self.rooms.cache, self.scale.pictures)
        latents = latents_of(unseen, self.decoder, self.rooms.cache, "unseen")
        found = self.network(latents, torch.from_numpy(np.array(unseen.points)))
        truth = truths(unseen, torch.arange(len(unseen)))
        figures = {
            "error": float((found - truth).abs().mean()),
            "error_blind": float((truth - truth.mean(0)).abs().mean()),
        }
        return self.learnt(), {name: round(figure, 4) for name, figure in figures.items()}
