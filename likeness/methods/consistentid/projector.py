"""From a face and a picture to the four tokens of who it is. Spec: consistentid_masterweaver.md 1.3."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...adapters.projectors import Perceiver, Perceptron
from ...adapters.projectors.perceptron import build_perceptron
from ...adapters.projectors.tensors import Tensors

_PERCEIVER = "perceiver_resampler."


@dataclass(frozen=True, eq=False)
class FaceProjector:
    """The face's vector asks, the states of the whole picture answer.

    shortcut: what was asked is added to the answer, as for SDXL.
    """

    asks: Perceptron
    perceiver: Perceiver
    shortcut: bool

    @classmethod
    def build(cls, tensors: Tensors, shortcut: bool) -> FaceProjector:
        """From the keys of `image_proj`. Raises ValueError when one is missing or does not fit."""
        asks = build_perceptron(tensors, ("proj.0", "proj.2"), "norm")
        within = {k.removeprefix(_PERCEIVER): v for k, v in tensors.items() if k.startswith(_PERCEIVER)}
        perceiver = Perceiver.build(within, what="no perceiver_resampler in image_proj")
        if {perceiver.width, perceiver.token_width} != {asks.token_width}:
            raise ValueError(
                f"image_proj asks with tokens {asks.token_width} wide, its perceiver_resampler is "
                f"{perceiver.width} wide and makes {perceiver.token_width}"
            )
        return cls(asks, perceiver, shortcut)

    @property
    def face_width(self) -> int:
        """Numbers of a face's vector."""
        return self.asks.embedding_width

    @property
    def embedding_width(self) -> int:
        """How wide the states of a picture are."""
        return self.perceiver.embedding_width

    @property
    def token_width(self) -> int:
        return self.asks.token_width

    def __call__(self, faces: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        """Unit vectors [B, 512] and states [B, N, embedding_width] -> tokens [B, 4, token_width], float32."""
        asked = self.asks(faces[:, None])
        seen = self.perceiver.perceive(asked, states)
        return asked + seen if self.shortcut else seen
