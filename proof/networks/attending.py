"""Adapters of the IP-Adapter family while they learn: put into the host's network by the pack's own engine.

What is learnt and what our nodes run are the same lines of code, so that they can't differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ..host import use_host

use_host()

from likeness import host  # noqa: E402
from likeness.attention.adds import BOTH, AddedAttention, KeysValues, Pair  # noqa: E402
from likeness.attention.engine import SitePatch  # noqa: E402
from likeness.attention.sites import SDXL_KEYS, Site, attention_sites, numbered  # noqa: E402
from likeness.attention.use import Window  # noqa: E402

__all__ = ["SDXL_KEYS", "Learning", "file_numbers", "looking", "pairs_of", "sites_of"]


class Learning(KeysValues):
    """Keys and values that gradients reach, as they are."""

    def __init__(self, tokens: torch.Tensor, pairs: Sequence[Pair]) -> None:
        """tokens [1 + n, T, width]; pairs: to_k and to_v of each layer."""
        linear = nn.functional.linear
        self._pairs: list[Pair] = [(linear(tokens, to_k), linear(tokens, to_v)) for to_k, to_v in pairs]
        self.shapes = tuple((len(tokens), tokens.shape[1], to_k.shape[0]) for to_k, _ in pairs)

    def on(self, like: torch.Tensor) -> list[Pair]:
        return self._pairs


def sites_of(network: nn.Module) -> tuple[Site, ...]:
    """The cross-attention layers in the order of adapter files."""
    return attention_sites(network)


def file_numbers(sites: Sequence[Site]) -> list[int]:
    """What an adapter's file calls these layers; sites: all of a network's, or some of SDXL's 70."""
    keys = SDXL_KEYS if sites[0].key in SDXL_KEYS else tuple(site.key for site in sites)
    return [2 * keys.index(site.key) + 1 for site in sites]


def looking(
    sites: Sequence[Site], tokens: torch.Tensor, pairs: Sequence[Pair], weight: float = 1.0
) -> dict[str, Any]:
    """The host's transformer_options with which row n of a batch looks at tokens[n], [n, T, width]."""
    nobody = torch.zeros_like(tokens[:1])
    kept = Learning(torch.cat([nobody, tokens]), pairs)
    narrow, base = host.attention.narrow_attention, host.attention.base_attention
    source = AddedAttention(kept, numbered(sites), weight, Window(0.0, 1.0), None, narrow, BOTH)
    slots = {site.key: SitePatch(("attn2", site.key), (source,), base) for site in sites}
    return {"patches_replace": {"attn2": slots}, "cond_or_uncond": [0]}


def pairs_of(layers: Mapping[str, torch.Tensor], numbers: Sequence[int]) -> list[Pair]:
    """to_k and to_v of the layers with these numbers in an adapter's file."""
    return [(layers[f"{n}.to_k_ip.weight"], layers[f"{n}.to_v_ip.weight"]) for n in numbers]
