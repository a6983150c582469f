"""A perceiver whose queries are given. Spec: consistentid_masterweaver.md 1.2, 1.3; see also resampler.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F

from .tensors import Tensors, check_shapes, linear, norm, size_of

Self = TypeVar("Self", bound="Perceiver")


@dataclass(frozen=True, eq=False)
class Perceiver:
    """Queries that look at states, layer by layer, and at each other.

    Runs in float32 on the CPU: once per identity, so it never has to be on the device.
    """

    tensors: Tensors
    depth: int
    dim_head: int = 64

    @classmethod
    def build(cls: type[Self], tensors: Tensors, dim_head: int = 64, what: str = "no resampler") -> Self:
        """From the keys of a resampler. Raises ValueError, beginning with `what`, when they do not fit."""
        depth = 0
        while f"layers.{depth}.0.to_q.weight" in tensors:
            depth += 1
        wanted = [*cls._own(), *_names(depth)]
        missing = [key for key in wanted if key not in tensors]
        if missing or not depth:
            raise ValueError(f"{what}: {', '.join(missing[:3]) or 'layers.0.0.to_q.weight'} is missing")
        check_shapes(tensors, cls._shapes(tensors, depth, dim_head), what)
        return cls(tensors, depth, dim_head)

    @classmethod
    def _own(cls) -> tuple[str, ...]:
        """Names of tensors beside those of every perceiver."""
        return ()

    @classmethod
    def _shapes(cls, tensors: Tensors, depth: int, dim_head: int) -> dict[str, tuple[int, ...]]:
        """What its tensors must be, by those that say how large it is."""
        embedding, dim = size_of(tensors, "proj_in.weight", 1), size_of(tensors, "proj_in.weight", 0)
        width = size_of(tensors, "proj_out.weight", 0)
        shapes: dict[str, tuple[int, ...]] = {"proj_in.weight": (dim, embedding), "proj_in.bias": (dim,)}
        shapes["proj_out.weight"] = (width, dim)
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

    @property
    def embedding_width(self) -> int:
        """How wide the states are that it takes."""
        return int(self.tensors["proj_in.weight"].shape[1])

    @property
    def width(self) -> int:
        """How wide its queries are."""
        return int(self.tensors["proj_in.weight"].shape[0])

    @property
    def token_width(self) -> int:
        return int(self.tensors["proj_out.weight"].shape[0])

    @torch.no_grad()
    def perceive(self, queries: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        """Queries [B or 1, T, width] that look at states [B, N, embedding_width] -> [B, T, token_width]."""
        x = linear(self.tensors, "proj_in", states.to("cpu", torch.float32))
        z = queries.to("cpu", torch.float32).expand(x.shape[0], -1, -1)
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


def _names(depth: int) -> list[str]:
    """The tensors of every perceiver with so many layers."""
    parts = ("weight", "bias")
    wanted = [f"{name}.{part}" for name in ("proj_in", "proj_out", "norm_out") for part in parts]
    for i in range(depth):
        wanted += [f"layers.{i}.{name}.{part}" for name in ("0.norm1", "0.norm2", "1.0") for part in parts]
        wanted += [f"layers.{i}.{n}.weight" for n in ("0.to_q", "0.to_kv", "0.to_out", "1.1", "1.3")]
    return wanted
