"""MasterWeaver's resampler. Spec: consistentid_masterweaver.md 2.2, 2.3."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from .resampler import Resampler
from .tensors import Tensors, linear, norm, size_of

_LAST = "final_attn"


@dataclass(frozen=True, eq=False)
class JoinedResampler(Resampler):
    """A resampler with one residual around attention and perceptron together, and a last self-attention.

    The tensors of an ordinary one and `final_attn.*`, which tells them apart: an ordinary resampler's
    residuals are wired otherwise. Spec: consistentid_masterweaver.md 2.3.
    """

    @classmethod
    def _own(cls) -> tuple[str, ...]:
        norms = [f"{_LAST}.{n}.{part}" for n in ("norm1", "norm2") for part in ("weight", "bias")]
        return (*super()._own(), *(f"{_LAST}.{n}.weight" for n in ("to_q", "to_kv", "to_out")), *norms)

    @classmethod
    def _shapes(cls, tensors: Tensors, depth: int, dim_head: int) -> dict[str, tuple[int, ...]]:
        width, inner = size_of(tensors, "proj_out.weight", 0), size_of(tensors, f"{_LAST}.to_q.weight", 0)
        inner += -inner % dim_head  # whole heads
        linears = {"to_q": (inner, width), "to_kv": (2 * inner, width), "to_out": (width, inner)}
        last: dict[str, tuple[int, ...]] = {f"{_LAST}.{n}.weight": shape for n, shape in linears.items()}
        norms = [f"{_LAST}.{n}.{part}" for n in ("norm1", "norm2") for part in ("weight", "bias")]
        return {**super()._shapes(tensors, depth, dim_head), **last, **dict.fromkeys(norms, (width,))}

    @torch.no_grad()
    def perceive(self, queries: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        """Queries [B or 1, T, width] that look at states [B, N, embedding_width] -> [B, T, token_width]."""
        x = linear(self.tensors, "proj_in", states.to("cpu", torch.float32))
        z = queries.to("cpu", torch.float32).expand(x.shape[0], -1, -1)
        for i in range(self.depth):
            hidden = norm(self.tensors, f"layers.{i}.1.0", self._attend(f"layers.{i}.0", x, z))
            hidden = F.gelu(linear(self.tensors, f"layers.{i}.1.1", hidden))
            z = z + linear(self.tensors, f"layers.{i}.1.3", hidden)
        z = norm(self.tensors, "norm_out", linear(self.tensors, "proj_out", z))
        return z + self._among_themselves(z)

    def _among_themselves(self, z: torch.Tensor) -> torch.Tensor:
        """The last attention: tokens look at tokens, and at nothing else."""
        q = linear(self.tensors, f"{_LAST}.to_q", norm(self.tensors, f"{_LAST}.norm2", z))
        kv = linear(self.tensors, f"{_LAST}.to_kv", norm(self.tensors, f"{_LAST}.norm1", z))
        q, k, v = (t.unflatten(-1, (-1, self.dim_head)).transpose(1, 2) for t in (q, *kv.chunk(2, dim=-1)))
        out = F.scaled_dot_product_attention(q, k, v)
        return linear(self.tensors, f"{_LAST}.to_out", out.transpose(1, 2).flatten(2))
