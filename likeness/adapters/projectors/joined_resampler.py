"""MasterWeaver's resampler. Spec: consistentid_masterweaver.md 2.2, 2.3."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from .resampler import Resampler
from .tensors import Tensors, check_shapes, linear, norm, size_of

_FINAL = ("to_q.weight", "to_kv.weight", "to_out.weight", *(f"norm{n}.{p}" for n in "12" for p in ("weight", "bias")))


@dataclass(frozen=True, eq=False)
class JoinedResampler(Resampler):
    """A resampler with one residual around attention and perceptron together, and a last self-attention.

    The tensors of an ordinary one and `final_attn.*`, which tells them apart: an ordinary resampler's
    residuals are wired otherwise. Spec: consistentid_masterweaver.md 2.3.
    """

    @classmethod
    def build(cls, tensors: Tensors, dim_head: int = 64) -> JoinedResampler:
        """From the keys of `id_encoder`. Raises ValueError when one is missing or does not fit."""
        absent = [f"final_attn.{name}" for name in _FINAL if f"final_attn.{name}" not in tensors]
        if absent:
            raise ValueError(f"no resampler with a last attention: {', '.join(absent[:3])} is missing")
        depth = Resampler.build(tensors, dim_head).depth
        width, inner = size_of(tensors, "proj_out.weight", 0), size_of(tensors, "final_attn.to_q.weight", 0)
        inner += -inner % dim_head  # whole heads
        wide = {"to_q": (inner, width), "to_kv": (2 * inner, width), "to_out": (width, inner)}
        shapes = {f"final_attn.{name}.weight": shape for name, shape in wide.items()}
        named = {f"final_attn.norm{n}.{part}": (width,) for n in "12" for part in ("weight", "bias")}
        check_shapes(tensors, {**shapes, **named}, "no resampler with a last attention")
        return cls(tensors, depth, dim_head)

    @torch.no_grad()
    def __call__(self, embeddings: torch.Tensor) -> torch.Tensor:
        """States [B, N, embedding_width] -> tokens [B, tokens, token_width], float32."""
        x = linear(self.tensors, "proj_in", embeddings.to("cpu", torch.float32))
        z = self.tensors["latents"].to(torch.float32).expand(x.shape[0], -1, -1)
        for i in range(self.depth):
            hidden = norm(self.tensors, f"layers.{i}.1.0", self._attend(f"layers.{i}.0", x, z))
            hidden = F.gelu(linear(self.tensors, f"layers.{i}.1.1", hidden))
            z = z + linear(self.tensors, f"layers.{i}.1.3", hidden)
        z = norm(self.tensors, "norm_out", linear(self.tensors, "proj_out", z))
        return z + self._among_themselves(z)

    def _among_themselves(self, z: torch.Tensor) -> torch.Tensor:
        """The last attention: tokens look at tokens, and at nothing else."""
        layer = "final_attn"
        q = linear(self.tensors, f"{layer}.to_q", norm(self.tensors, f"{layer}.norm2", z))
        k, v = linear(self.tensors, f"{layer}.to_kv", norm(self.tensors, f"{layer}.norm1", z)).chunk(2, dim=-1)
        q, k, v = (t.unflatten(-1, (-1, self.dim_head)).transpose(1, 2) for t in (q, k, v))
        out = F.scaled_dot_product_attention(q, k, v)
        return linear(self.tensors, f"{layer}.to_out", out.transpose(1, 2).flatten(2))
