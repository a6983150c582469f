"""The projector of E-adapters and InstantID, for learning: the Resampler of likeness.adapters as a module.

Names and all. Spec: pva_freecure_emojidiff.md C.1 (3). tests/training/emojidiff/test_network.py holds the two
equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEAD = 64


@dataclass(frozen=True)
class Sizes:
    """seen: width of what comes in; out: of the tokens. The rest as in IP-Adapter-Plus."""

    seen: int
    out: int
    width: int
    heads: int
    depth: int = 4
    tokens: int = 16
    inner: int = 4

    @classmethod
    def of(cls, seen: int, out: int) -> Sizes:
        """SDXL's for tokens 2048 wide, else SD1.5's: a width of 1280 or 768, a head for each 64 of it."""
        width = 1280 if out == 2048 else 768
        return cls(seen, out, width, width // HEAD)


class _Attention(nn.Module):
    """Latents look at pictures and themselves."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_q = nn.Linear(width, heads * HEAD, bias=False)
        self.to_kv = nn.Linear(width, 2 * heads * HEAD, bias=False)
        self.to_out = nn.Linear(heads * HEAD, width, bias=False)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        x, z = self.norm1(x), self.norm2(z)
        k, v = self.to_kv(torch.cat([x, z], dim=1)).chunk(2, dim=-1)
        q, k, v = (t.unflatten(-1, (-1, HEAD)).transpose(1, 2) for t in (self.to_q(z), k, v))
        out = F.scaled_dot_product_attention(q, k, v)
        return self.to_out(out.transpose(1, 2).flatten(2))


class Resampler(nn.Module):
    """Features of pictures [n, patches, seen] -> tokens [n, tokens, out]."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.latents = nn.Parameter(torch.randn(1, sizes.tokens, sizes.width) / sizes.width**0.5)
        self.proj_in = nn.Linear(sizes.seen, sizes.width)
        self.proj_out = nn.Linear(sizes.width, sizes.out)
        self.norm_out = nn.LayerNorm(sizes.out)
        self.layers = nn.ModuleList(
            nn.ModuleList([_Attention(sizes.width, sizes.heads), _feed_forward(sizes.width, sizes.inner)])
            for _ in range(sizes.depth)
        )

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Resampler:
        """From the keys of `image_proj`, float32. Raises ValueError when they make no Resampler."""
        try:
            width, seen = tensors["proj_in.weight"].shape
            depth = len({key.split(".")[1] for key in tensors if key.startswith("layers.")})
            heads = tensors["layers.0.0.to_q.weight"].shape[0] // HEAD
            inner = tensors["layers.0.1.1.weight"].shape[0] // width
            out, tokens = tensors["proj_out.weight"].shape[0], tensors["latents"].shape[1]
            made = cls(Sizes(seen, out, width, heads, depth, tokens, inner))
            made.load_state_dict({key: value.float() for key, value in tensors.items()})
        except (KeyError, RuntimeError, ValueError) as error:
            raise ValueError(
                f"no resampler of an E-adapter, InstantID or IP-Adapter-Plus: {' '.join(str(error).split())}"
            ) from error
        return made

    def forward(self, features: Tensor) -> Tensor:
        x = self.proj_in(features)
        z = self.latents.expand(len(x), -1, -1)
        for layer in self.layers:
            attend, inner = layer.children()
            z = z + attend(x, z)
            z = z + inner(z)
        return self.norm_out(self.proj_out(z))


def _feed_forward(width: int, inner: int) -> nn.Sequential:
    up, down = nn.Linear(width, inner * width, bias=False), nn.Linear(inner * width, width, bias=False)
    return nn.Sequential(nn.LayerNorm(width), up, nn.GELU(), down)
