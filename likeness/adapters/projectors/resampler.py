"""The perceiver resampler of InstantID and IP-Adapter-Plus. Spec: instantid_arc2face.md 1.1.1, 1.3.1."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from .tensors import Tensors, check_shapes, linear, norm, size_of


@dataclass(frozen=True, eq=False)
class Resampler:
    """Perceiver resampler of InstantID and IP-Adapter-Plus. Spec: instantid_arc2face.md 1.1.1, 1.3.1.

    Runs in float32 on the CPU: once per identity, so it never has to be on the device.
    """

    tensors: Tensors
    depth: int
    dim_head: int = 64

    @classmethod
    def build(cls, tensors: Tensors, dim_head: int = 64) -> Resampler:
        """From the keys of `image_proj`. Raises ValueError when one is missing or does not fit."""
        depth = 0
        while f"layers.{depth}.0.to_q.weight" in tensors:
            depth += 1
        wanted = [
            "latents",
            *(f"{n}.{p}" for n in ("proj_in", "proj_out", "norm_out") for p in ("weight", "bias")),
        ]
        for i in range(depth):
            norms = [f"layers.{i}.{n}.{p}" for n in ("0.norm1", "0.norm2", "1.0") for p in ("weight", "bias")]
            linears = [f"layers.{i}.{n}.weight" for n in ("0.to_q", "0.to_kv", "0.to_out", "1.1", "1.3")]
            wanted += norms + linears
        missing = [key for key in wanted if key not in tensors]
        if missing or not depth:
            raise ValueError(f"no resampler: {', '.join(missing[:3]) or 'layers.0.0.to_q.weight'} is missing")
        check_shapes(tensors, _resampler_shapes(tensors, depth, dim_head), "no resampler")
        return cls(tensors, depth, dim_head)

    @property
    def embedding_width(self) -> int:
        return int(self.tensors["proj_in.weight"].shape[1])

    @property
    def token_width(self) -> int:
        return int(self.tensors["proj_out.weight"].shape[0])

    @property
    def tokens(self) -> int:
        return int(self.tensors["latents"].shape[1])

    @torch.no_grad()
    def __call__(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Embeddings [B, N, embedding_width] -> tokens [B, tokens, token_width], float32."""
        x = linear(self.tensors, "proj_in", embeddings.to("cpu", torch.float32))
        z = self.tensors["latents"].to(torch.float32).expand(x.shape[0], -1, -1)
        for i in range(self.depth):
            z = z + self._attend(f"layers.{i}.0", x, z)
            hidden = F.gelu(linear(self.tensors, f"layers.{i}.1.1", norm(self.tensors, f"layers.{i}.1.0", z)))
            z = z + linear(self.tensors, f"layers.{i}.1.3", hidden)
        return norm(self.tensors, "norm_out", linear(self.tensors, "proj_out", z))

    def _attend(self, layer: str, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        x, z = norm(self.tensors, f"{layer}.norm1", x), norm(self.tensors, f"{layer}.norm2", z)
        q = linear(self.tensors, f"{layer}.to_q", z)
        k, v = linear(self.tensors, f"{layer}.to_kv", torch.cat([x, z], dim=1)).chunk(2, dim=-1)
        q, k, v = (t.unflatten(-1, (-1, self.dim_head)).transpose(1, 2) for t in (q, k, v))
        out = F.scaled_dot_product_attention(q, k, v)
        return linear(self.tensors, f"{layer}.to_out", out.transpose(1, 2).flatten(2))


def _resampler_shapes(tensors: Tensors, depth: int, dim_head: int) -> dict[str, tuple[int, ...]]:
    """What its tensors must be, by those that say how large it is."""
    embedding, dim = size_of(tensors, "proj_in.weight", 1), size_of(tensors, "proj_in.weight", 0)
    width, tokens = size_of(tensors, "proj_out.weight", 0), size_of(tensors, "latents", 1)
    shapes: dict[str, tuple[int, ...]] = {"latents": (1, tokens, dim), "proj_in.weight": (dim, embedding)}
    shapes |= {"proj_in.bias": (dim,), "proj_out.weight": (width, dim)}
    shapes |= dict.fromkeys(("proj_out.bias", "norm_out.weight", "norm_out.bias"), (width,))
    for i in range(depth):
        inner, wide = (size_of(tensors, f"layers.{i}.{name}.weight", 0) for name in ("0.to_q", "1.1"))
        inner += -inner % dim_head  # whole heads
        linears = {"0.to_q": (inner, dim), "0.to_kv": (2 * inner, dim), "0.to_out": (dim, inner)}
        linears |= {"1.1": (wide, dim), "1.3": (dim, wide)}
        shapes |= {f"layers.{i}.{name}.weight": shape for name, shape in linears.items()}
        for name in ("0.norm1", "0.norm2", "1.0"):
            shapes |= dict.fromkeys((f"layers.{i}.{name}.weight", f"layers.{i}.{name}.bias"), (dim,))
    return shapes
