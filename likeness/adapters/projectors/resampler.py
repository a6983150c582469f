"""The perceiver resampler of InstantID and IP-Adapter-Plus. Spec: instantid_arc2face.md 1.1.1, 1.3.1."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .perceiver import Perceiver
from .tensors import Tensors, size_of


@dataclass(frozen=True, eq=False)
class Resampler(Perceiver):
    """A perceiver with queries of its own: that of InstantID and IP-Adapter-Plus."""

    @classmethod
    def _own(cls) -> tuple[str, ...]:
        return ("latents",)

    @classmethod
    def _shapes(cls, tensors: Tensors, depth: int, dim_head: int) -> dict[str, tuple[int, ...]]:
        shapes = super()._shapes(tensors, depth, dim_head)
        tokens, (dim, _) = size_of(tensors, "latents", 1), shapes["proj_in.weight"]
        return {"latents": (1, tokens, dim), **shapes}

    @property
    def tokens(self) -> int:
        return int(self.tensors["latents"].shape[1])

    def __call__(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Embeddings [B, N, embedding_width] -> tokens [B, tokens, token_width], float32."""
        return self.perceive(self.tensors["latents"], embeddings)
