"""IP-Adapter's simpler projections. Spec: instantid_arc2face.md 2.5.2."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from .tensors import Tensors, check_shapes, linear, norm, size_of


@dataclass(frozen=True, eq=False)
class Perceptron:
    """Linear layers with GELU between them, then a layer norm: IP-Adapter's simpler projections.

    layers are the names of the linear layers, norm the name of the norm, tokens how many come out.
    Spec: instantid_arc2face.md 2.5.2.
    """

    tensors: Tensors
    layers: tuple[str, ...]
    norm: str
    tokens: int

    @property
    def embedding_width(self) -> int:
        return int(self.tensors[f"{self.layers[0]}.weight"].shape[1])

    @property
    def token_width(self) -> int:
        return int(self.tensors[f"{self.norm}.weight"].shape[0])

    @torch.no_grad()
    def __call__(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Embeddings [B, N, embedding_width] -> tokens [B, N * tokens, token_width], float32."""
        x = embeddings.to("cpu", torch.float32)
        for place, name in enumerate(self.layers):
            x = linear(self.tensors, name, F.gelu(x) if place else x)
        x = x.unflatten(-1, (self.tokens, -1)).flatten(1, 2)
        return norm(self.tensors, self.norm, x)


def build_perceptron(tensors: Tensors, layers: tuple[str, ...], norm_name: str) -> Perceptron:
    wanted = [f"{name}.{part}" for name in (*layers, norm_name) for part in ("weight", "bias")]
    missing = [key for key in wanted if key not in tensors]
    if missing:
        raise ValueError(f"no projection: {', '.join(missing)} is missing")
    width, inside = size_of(tensors, f"{norm_name}.weight", 0), size_of(tensors, f"{layers[0]}.weight", 1)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys((f"{norm_name}.weight", f"{norm_name}.bias"), (width,))
    rows = inside
    for name in layers:
        rows, inside = size_of(tensors, f"{name}.weight", 0), rows
        shapes |= {f"{name}.weight": (rows, inside), f"{name}.bias": (rows,)}
    check_shapes(tensors, shapes, "no projection")
    if rows % width:
        raise ValueError(f"no projection: {rows} outputs are not a whole number of tokens {width} wide")
    return Perceptron(tensors, layers, norm_name, rows // width)
