"""What a half-finished face does, with gradients: adapters of expression learn from it beside the noise.

As with who it is (`recognised`): an open mouth is some percent of the noise's error. The classifier that
judges expressions takes no part.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ..networks import reader
from .batch import Batch
from .expressions import truths
from .pictures import Album
from .recognised import half_drawn, shows


class Expressed:
    """tensors: of the stage `expression_reader`; pictures: where the faces are, and what they do."""

    def __init__(self, tensors: Mapping[str, torch.Tensor], pictures: Album) -> None:
        self.reader = reader.load(tensors, expressions=True)
        self.points = torch.from_numpy(np.array(pictures.points))
        self.truths = truths(pictures, torch.arange(len(pictures)))

    def loss(self, batch: Batch, found: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        """Mean squared error of the numbers over the rows that are asked; 0 when none is. told bool [n]:
        the rows whose network was told the expression of their picture."""
        asked = shows(batch) & told
        if not asked.any():
            return found.new_zeros(())
        places = batch.places[asked]
        seen = self.reader(half_drawn(batch, found)[asked], self.points[places])
        return (seen - self.truths[places]).square().mean()
