"""What Load Attribute gives: a direction of text embeddings. Spec: conditioning.md 1.4."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from .write import KINDS


@dataclass(frozen=True, eq=False)
class Attribute:
    """A direction of text embeddings: one vector for each text encoder, added to the rows of a subject.

    clip_l [768], clip_g [1280] (other widths for other encoders): at least one. kind: `learned` with a
    diffusion model, or the `difference` of prompts. base: the model it was made on; source: where or how.
    """

    name: str
    clip_l: torch.Tensor | None = None
    clip_g: torch.Tensor | None = None
    kind: str = "learned"
    base: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        if not self.vectors:
            raise ValueError(f"The attribute {self.name} has no direction of clip_l or clip_g.")
        if self.kind not in KINDS:
            raise ValueError(f"The attribute {self.name} is of no kind that is known: {self.kind!r}.")
        for encoder, vector in self.vectors.items():
            object.__setattr__(self, encoder, _vector(vector, f"{self.name}'s direction of {encoder}"))

    @property
    def vectors(self) -> dict[str, torch.Tensor]:
        """The directions there are, by encoder: `clip_l`, `clip_g`."""
        both = {"clip_l": self.clip_l, "clip_g": self.clip_g}
        return {encoder: vector for encoder, vector in both.items() if vector is not None}

    def __repr__(self) -> str:
        norms = ", ".join(f"{encoder} {vector.norm():.2f}" for encoder, vector in self.vectors.items())
        return f"Attribute({self.name}, {self.kind}, {norms})"


def _vector(value: Any, what: str) -> torch.Tensor:
    vector = torch.as_tensor(value, dtype=torch.float32, device="cpu")
    if vector.ndim != 1 or not vector.isfinite().all():
        raise ValueError(f"{what} holds NaN or infinity, or is no single row but {list(vector.shape)}.")
    return vector
