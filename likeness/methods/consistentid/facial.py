"""Parts of a face as vectors, and what they make of the words for them.

Spec: consistentid_masterweaver.md 1.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ...adapters.projectors import Resampler
from ...adapters.projectors.tensors import Tensors, check_shapes, linear, norm, size_of

_SEES, _FUSES = "visual_projection.", "fuse_module."


@dataclass(frozen=True, eq=False)
class FacialEncoder:
    """In float32 on the CPU: a handful of vectors, once per person and prompt."""

    sees: Resampler
    fuses: Tensors

    @classmethod
    def build(cls, tensors: Tensors) -> FacialEncoder:
        """From the keys of `FacialEncoder`. Raises ValueError when one is missing or does not fit."""
        within = {k.removeprefix(_SEES): v for k, v in tensors.items() if k.startswith(_SEES)}
        sees = Resampler.build(within, what="no visual_projection in FacialEncoder")
        if sees.tokens != 1:
            raise ValueError(f"FacialEncoder makes {sees.tokens} vectors of a part instead of one")
        fuses = {k.removeprefix(_FUSES): v for k, v in tensors.items() if k.startswith(_FUSES)}
        _check_fuse(fuses, sees.token_width)
        return cls(sees, fuses)

    @property
    def embedding_width(self) -> int:
        """How wide the states of a picture are."""
        return self.sees.embedding_width

    @property
    def token_width(self) -> int:
        return self.sees.token_width

    def vectors(self, states: torch.Tensor) -> torch.Tensor:
        """States of pictures of parts [N, T, embedding_width] -> a vector each [N, token_width]."""
        return self.sees(states)[:, 0]

    @torch.no_grad()
    def fuse(self, words: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        """Rows of a prompt [N, token_width] that know the parts [N or 1, token_width], in their order."""
        words = words.to("cpu", torch.float32)
        both = torch.cat([words, vectors.to(torch.float32).expand_as(words)], dim=-1)
        fused = self._perceptron("mlp1", both) + words
        fused = fused + self._perceptron("mlp2", fused)
        return norm(self.fuses, "layer_norm", fused)

    def _perceptron(self, name: str, x: torch.Tensor) -> torch.Tensor:
        hidden = linear(self.fuses, f"{name}.fc1", norm(self.fuses, f"{name}.layernorm", x))
        return linear(self.fuses, f"{name}.fc2", F.gelu(hidden))


def _check_fuse(tensors: Tensors, width: int) -> None:
    inner = {
        name: size_of(tensors, f"{name}.fc1.weight", 0) if f"{name}.fc1.weight" in tensors else width
        for name in ("mlp1", "mlp2")
    }
    shapes: dict[str, tuple[int, ...]] = {}
    for name, inside in (("mlp1", 2 * width), ("mlp2", width)):
        middle = inner[name]
        shapes |= {f"{name}.layernorm.weight": (inside,), f"{name}.layernorm.bias": (inside,)}
        shapes |= {f"{name}.fc1.weight": (middle, inside), f"{name}.fc1.bias": (middle,)}
        shapes |= {f"{name}.fc2.weight": (width, middle), f"{name}.fc2.bias": (width,)}
    shapes |= {"layer_norm.weight": (width,), "layer_norm.bias": (width,)}
    missing = [name for name in shapes if name not in tensors]
    if missing:
        raise ValueError(f"no fuse_module in FacialEncoder: {missing[0]} is missing")
    check_shapes(tensors, shapes, "no fuse_module in FacialEncoder")
