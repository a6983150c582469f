"""Attention to constant tokens, added to what a layer computes: InstantID and the IP-Adapter family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .calls import Call
from .keys_values import KeysValues
from .masks import PictureMask, token_mask
from .sites import SiteKey
from .sources import Attention, Place, Rows
from .use import Window
from .views import Role, rows_of

BOTH: frozenset[Role] = frozenset({"positive", "negative"})


@dataclass(frozen=True, eq=False)
class AddedAttention:
    """out += weight * mask * Attention(q, K, V). Spec: instantid_arc2face.md 1.3.3.

    numbers: the place of each layer among those of keys_values. attention computes the added part. Rows of
    other roles than `roles` stay as they are.
    """

    keys_values: KeysValues
    numbers: Mapping[SiteKey, int]
    weight: float
    window: Window
    mask: PictureMask | None
    attention: Attention
    roles: frozenset[Role] = BOTH

    def change(self, rows: Rows, place: Place) -> Tensor:
        q, views = rows.q, place.call.views
        keys, values = (rows_of(x, views, len(q)) for x in self.keys_values.on(q)[self.numbers[place.site]])
        added = self.attention(q, keys, values, place.options)
        return added if self.mask is None else added * token_mask(self.mask, q, place.call, place.options)

    @cached_property
    def constants(self) -> str:
        mask = None if self.mask is None else self.mask.mask.shape
        use = self.weight, sorted(self.roles), self.window, mask
        return repr(("added", use, self.numbers, self.keys_values.shapes))

    def prepare(self, call: Call, device: torch.device, dtype: torch.dtype) -> None:
        self.keys_values.lend(device, dtype)

    def cleanup(self) -> None:
        self.keys_values.cleanup()
        if self.mask is not None:
            self.mask.cleanup()
