"""Attention whose queries are what the layer made of the text, added to it: the W+ Adapter.

The matrix that makes queries of that output is multiplied into the keys once, when the tokens are known. So
no layer has a product of its full width while sampling, and the matrices stay off the device. Spec:
adapters.md 3.3, 5.1, fact_wplus.md B.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .adds import BOTH, KeysValues, Pair, rows_of
from .calls import Call
from .masks import PictureMask, token_mask
from .sites import SiteKey
from .sources import Place, Rows
from .use import Window
from .views import Role


def fold(
    tokens: Tensor, pairs: Sequence[Pair], queries: Sequence[Tensor], heads: Sequence[int]
) -> KeysValues:
    """What tokens [roles, T, D] are to each layer: keys and values [roles, heads x T, hidden], float32, CPU.

    pairs, queries: to_k and to_v [hidden, D], to_q [hidden, hidden] of each layer. A key holds to_q and the
    scale of the logits; a value is zero outside of its head, so that one product gives all heads.
    """
    tokens = tokens.to("cpu", torch.float32)
    shapes, parts = [], []
    for (to_k, to_v), to_q, count in zip(pairs, queries, heads, strict=True):
        hidden = len(to_q)
        keys, values = ((tokens @ x.to(torch.float32).T).unflatten(-1, (count, -1)) for x in (to_k, to_v))
        by_head = to_q.to(torch.float32).unflatten(0, (count, -1)) * (hidden // count) ** -0.5
        folded = torch.einsum("rthd,hdc->rhtc", keys, by_head)
        spread = torch.einsum("rthd,hg->rhtgd", values, torch.eye(count))
        shapes.append((len(tokens), count * tokens.shape[1], hidden))
        parts += [folded.flatten(), spread.flatten()]
    return KeysValues(torch.cat(parts), shapes)


@dataclass(frozen=True, eq=False)
class CascadedAttention:
    """out += weight * mask * Attention(out to_q, keys, values), out being the layer's own output.

    keys_values: from `fold`. tokens: how many there are. numbers: the place of each layer among those of
    keys_values. What other sources add to a layer is not in its own output: so their order does not matter.
    """

    keys_values: KeysValues
    tokens: int
    numbers: Mapping[SiteKey, int]
    weight: float
    window: Window
    mask: PictureMask | None
    roles: frozenset[Role] = BOTH

    def change(self, rows: Rows, place: Place) -> Tensor:
        text, views = rows.out, place.call.views
        number = self.numbers[place.site]
        keys, values = (rows_of(x, views, len(text), "codes") for x in self.keys_values.on(text)[number])
        shares = (text @ keys.transpose(1, 2)).unflatten(-1, (-1, self.tokens)).softmax(dim=-1)
        added = shares.flatten(-2) @ values
        return added if self.mask is None else added * token_mask(self.mask, text, place.call, place.options)

    @cached_property
    def constants(self) -> str:
        mask = None if self.mask is None else self.mask.mask.shape
        use = self.weight, sorted(self.roles), self.window, mask
        return repr(("cascaded", use, self.tokens, self.numbers, self.keys_values.shapes))

    def prepare(self, call: Call, device: torch.device, dtype: torch.dtype) -> None:
        self.keys_values.lend(device, dtype)

    def cleanup(self) -> None:
        self.keys_values.cleanup()
        if self.mask is not None:
            self.mask.cleanup()
