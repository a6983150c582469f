"""Networks that turn an embedding into attention tokens, built from their checkpoint's tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F

Tensors = Mapping[str, torch.Tensor]


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
        x = self._linear("proj_in", embeddings.to("cpu", torch.float32))
        z = self._get("latents").expand(x.shape[0], -1, -1)
        for i in range(self.depth):
            z = z + self._attend(f"layers.{i}.0", x, z)
            hidden = F.gelu(self._linear(f"layers.{i}.1.1", self._norm(f"layers.{i}.1.0", z)))
            z = z + self._linear(f"layers.{i}.1.3", hidden)
        return self._norm("norm_out", self._linear("proj_out", z))

    def _attend(self, layer: str, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        x, z = self._norm(f"{layer}.norm1", x), self._norm(f"{layer}.norm2", z)
        q = self._linear(f"{layer}.to_q", z)
        k, v = self._linear(f"{layer}.to_kv", torch.cat([x, z], dim=1)).chunk(2, dim=-1)
        q, k, v = (t.unflatten(-1, (-1, self.dim_head)).transpose(1, 2) for t in (q, k, v))
        out = F.scaled_dot_product_attention(q, k, v)
        return self._linear(f"{layer}.to_out", out.transpose(1, 2).flatten(2))

    def _get(self, key: str) -> torch.Tensor:
        return self.tensors[key].to(torch.float32)

    def _linear(self, name: str, x: torch.Tensor) -> torch.Tensor:
        bias = f"{name}.bias"
        return F.linear(x, self._get(f"{name}.weight"), self._get(bias) if bias in self.tensors else None)

    def _norm(self, name: str, x: torch.Tensor) -> torch.Tensor:
        weight = self._get(f"{name}.weight")
        return F.layer_norm(x, weight.shape, weight, self._get(f"{name}.bias"))
