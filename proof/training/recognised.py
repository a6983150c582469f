"""Who a half-finished picture shows, with gradients: adapters of identity learn from it beside the noise.

The error of the noise says little about who somebody is: a face's features are some percent of it. So the
clean picture that a network would end in is recognised, too, as PuLID's authors do (arXiv 2404.16022, the
"accurate ID loss"); by the reader of latents, which knows what the recogniser says. The judge takes no part.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch.nn import functional

from ..networks import diffusion, reader
from .batch import Batch
from .pictures import Album

#: Times at which it is asked: earlier ones show a face already; later ones do not say where its features
#: lie, and to ask for them there gives faces with several of each.
_FIRST, _LAST = 150, 650


class Recognised:
    """tensors: of the stage `reader`; pictures: where the faces are."""

    def __init__(self, tensors: Mapping[str, torch.Tensor], pictures: Album) -> None:
        self.reader, self.points = reader.load(tensors), torch.from_numpy(np.array(pictures.points))

    def loss(self, batch: Batch, found: torch.Tensor) -> torch.Tensor:
        """1 - cosine, averaged over the rows that are asked; 0 when none is. found [n, 4, 16, 16]: the noise
        found in the batch, which knows who should be there."""
        asked = shows(batch) & batch.vectors.any(1)
        if not asked.any():
            return found.new_zeros(())
        seen = self.reader(half_drawn(batch, found)[asked], self.points[batch.places[asked]])
        return (1 - functional.cosine_similarity(seen, batch.vectors[asked])).mean()


def shows(batch: Batch) -> torch.Tensor:
    """bool [n]: the rows in which a face can be seen."""
    return (batch.times >= _FIRST) & (batch.times < _LAST)


def half_drawn(batch: Batch, found: torch.Tensor) -> torch.Tensor:
    """The clean latents that a network would end in, by the noise that it found."""
    part = diffusion.kept()[batch.times].reshape(-1, 1, 1, 1)
    return (batch.noisy - (1 - part).sqrt() * found) / part.sqrt()
