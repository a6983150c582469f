"""Mode add: attention to constant tokens, added to what the layer computes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .calls import Role, select_rows
from .keys_values import KeysValues
from .masks import PictureMask
from .sources import Attention, Place, Window, token_mask

BOTH: frozenset[Role] = frozenset({"positive", "negative"})


@dataclass(frozen=True, eq=False)
class AddedAttention:
    """out += weight * mask * Attention(q, K, V). Spec: instantid_arc2face.md 1.3.3.

    attention computes the added part. Rows of other roles than `roles` stay as they are.
    """

    keys_values: KeysValues
    weight: float
    window: Window
    mask: PictureMask | None
    attention: Attention
    roles: frozenset[Role] = BOTH

    def attend(self, inner: Attention, q: Tensor, k: Tensor, v: Tensor, place: Place) -> Tensor:
        out, call = inner(q, k, v, place.options), place.call
        looking = [n for n, role in enumerate(call.roles) if role in self.roles]
        if not looking or not self.window.holds(call):
            return out
        if len(looking) == len(call.roles):
            return torch.add(out, self._added(q, place), alpha=self.weight)
        chunks, queries = (x.unflatten(0, (len(call.roles), -1)) for x in (out, q))
        added = self._added(queries[looking].flatten(0, 1), replace(place, call=call.chunks(looking)))
        result = chunks.clone()
        result[looking] += self.weight * added.unflatten(0, (len(looking), -1))
        return result.flatten(0, 1)

    def _added(self, q: Tensor, place: Place) -> Tensor:
        keys, values = (select_rows(x, place.call, len(q)) for x in self.keys_values.on(q)[place.index])
        added = self.attention(q, keys, values, place.options)
        return added if self.mask is None else added * token_mask(self.mask, q, place)

    def cleanup(self) -> None:
        self.keys_values.cleanup()
        if self.mask is not None:
            self.mask.cleanup()
