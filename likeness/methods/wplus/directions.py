"""Directions in the space of codes: what an edit adds. Spec: adapters.md 3.4, fact_wplus.md B.8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ...adapters.projectors.layer_groups import LAYERS, WIDTH


@dataclass(frozen=True, eq=False)
class Direction:
    """vectors [18, 512]: what strength 1 adds to each layer.

    origin [512] and deviation belong to a principal component, which moves a code *to* a strength: as many
    deviations away from the average face; vectors then hold one unit vector 18 times. source: its file.
    """

    name: str
    vectors: torch.Tensor
    origin: torch.Tensor | None = None
    deviation: float = 1.0
    source: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "vectors", _vectors(self.vectors, self.name))

    def moved(self, codes: torch.Tensor, strength: float, layers: Sequence[int]) -> torch.Tensor:
        """Codes [N, 18, 512] edited in these layers; the others are as they were."""
        there = list(layers)
        if self.origin is None:
            if strength == 0:
                return codes
            step = strength * self.vectors[None, there]
        else:
            unit = self.vectors[0]
            reached = (codes[:, 0] - self.origin) @ unit / self.deviation
            step = ((strength - reached) * self.deviation)[:, None, None] * self.vectors[None, there]
        edited = codes.clone()
        edited[:, there] += step
        return edited

    def __repr__(self) -> str:
        return f"Direction({self.name}, {float(self.vectors.norm()):.2f})"


def _vectors(value: Any, name: str) -> torch.Tensor:
    rows = torch.as_tensor(value).detach().to("cpu", torch.float32)
    if rows.numel() not in (WIDTH, LAYERS * WIDTH) or rows.shape[-1] != WIDTH:
        raise ValueError(
            f"The direction {name} is {list(rows.shape)}: a direction of W+ is [{WIDTH}] or [{LAYERS}, "
            f"{WIDTH}]."
        )
    if not rows.isfinite().all():
        raise ValueError(f"The direction {name} holds NaN or infinity.")
    return rows.reshape(-1, WIDTH).expand(LAYERS, -1)
