"""The W+ Adapter's attention layers: three matrices each. Spec: fact_wplus.md B.7."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from ...adapters import AdapterLayers, Tokens
from ...attention.cascade import CascadedAttention, fold
from ...attention.sites import Site, numbered
from ...attention.use import Use
from ...attention.views import Role

#: The file's names of the matrices of keys and values, and the family's.
_NAMES = ((".to_k_wplus.", ".to_k_ip."), (".to_v_wplus.", ".to_v_ip."))


@dataclass(frozen=True, eq=False)
class Cascades:
    """to_k, to_v and to_q of every cross-attention layer, in host memory."""

    family: AdapterLayers
    queries: tuple[torch.Tensor, ...]
    hidden: bool = False

    @classmethod
    def parse(cls, tensors: Mapping[str, torch.Tensor], token_width: int, name: str) -> Cascades:
        """tensors: `N.to_k_wplus.weight`, ..., N = 1, 3, 5, ... Raises ValueError for a part that lacks."""
        renamed = {}
        for key, value in tensors.items():
            for theirs, ours in _NAMES:
                key = key.replace(theirs, ours)
            renamed[key] = value
        family = AdapterLayers.parse(renamed, token_width, name)
        queries = []
        for index, (to_k, _) in enumerate(family.pairs):
            number, wide = family.number(index), len(to_k)
            to_q = tensors.get(f"{number}.to_q_wplus.weight")
            if to_q is None:
                raise ValueError(
                    f"{name} lacks to_q_wplus of layer {number}: without it the adapter can't be used. "
                    "Download it again."
                )
            if tuple(to_q.shape) != (wide, wide):
                raise ValueError(f"{name} is damaged: to_q_wplus of layer {number} is {list(to_q.shape)}.")
            queries.append(to_q)
        return cls(family, tuple(queries))

    def match(self, network: nn.Module, kind: str, needs: str) -> tuple[tuple[Site, ...], tuple[int, ...]]:
        """The network's layers and the place of each one's matrices. Raises ValueError."""
        return self.family.match(network, kind, needs)

    def number(self, index: int) -> int:
        return self.family.number(index)

    def source(
        self, tokens: Tokens, sites: Sequence[Site], numbers: Sequence[int], use: Use, roles: frozenset[Role]
    ) -> CascadedAttention:
        """Attention of the layers' own output to the tokens."""
        pairs, queries = [self.family.pairs[n] for n in numbers], [self.queries[n] for n in numbers]
        kept = fold(tokens.both, pairs, queries, [site.heads for site in sites])
        count = tokens.somebody.shape[1]
        return CascadedAttention(
            kept, count, numbered(sites), use.weight, use.window, use.picture_mask, roles
        )
