"""The W+ Adapter's projection: a token for each group of a code's layers. Spec: adapters.md 3.3."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .tensors import Tensors, check_shapes, linear, norm, size_of

#: Layers of a code and numbers in each; the layers behind each token.
LAYERS, WIDTH = 18, 512
GROUPS = (range(0, 4), range(4, 8), range(8, 12), range(12, 18))


@dataclass(frozen=True, eq=False)
class LayerGroups:
    """Codes [N, 18, 512] -> tokens [N, 4, token_width]; tensors `proj_0` to `proj_3` and `norm`."""

    tensors: Tensors
    token_width: int

    @classmethod
    def build(cls, tensors: Tensors) -> LayerGroups:
        """Raises ValueError naming a tensor that is missing or does not fit."""
        names = [*(f"proj_{n}.weight" for n in range(len(GROUPS))), "norm.weight", "norm.bias"]
        missing = [name for name in names if name not in tensors]
        if missing:
            raise ValueError(f"its projection lacks {missing[0]}")
        width = size_of(tensors, "norm.weight", 0)
        shapes: dict[str, tuple[int, ...]] = {
            f"proj_{n}.weight": (width, len(group) * WIDTH) for n, group in enumerate(GROUPS)
        }
        check_shapes(tensors, {**shapes, "norm.weight": (width,), "norm.bias": (width,)}, "its projection")
        return cls({name: tensors[name] for name in names}, width)

    @torch.no_grad()
    def __call__(self, codes: torch.Tensor) -> torch.Tensor:
        codes = codes.to("cpu", torch.float32)
        tokens = [
            linear(self.tensors, f"proj_{n}", codes[:, group.start : group.stop].flatten(1))
            for n, group in enumerate(GROUPS)
        ]
        return norm(self.tensors, "norm", torch.stack(tokens, dim=1))
