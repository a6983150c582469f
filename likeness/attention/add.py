"""Mode add: attention to constant tokens, added to what the layer computes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .calls import select_rows
from .keys_values import KeysValues
from .masks import PictureMask
from .sources import Attention, Place, Window, token_mask


@dataclass(frozen=True, eq=False)
class AddedAttention:
    """out += weight * mask * Attention(q, K, V). Spec: instantid_arc2face.md 1.3.3.

    attention computes the added part.
    """

    keys_values: KeysValues
    weight: float
    window: Window
    mask: PictureMask | None
    attention: Attention

    def attend(self, inner: Attention, q: Tensor, k: Tensor, v: Tensor, place: Place) -> Tensor:
        out = inner(q, k, v, place.options)
        if not self.window.holds(place.call):
            return out
        keys, values = (select_rows(x, place.call, len(q)) for x in self.keys_values.on(q)[place.index])
        added = self.attention(q, keys, values, place.options)
        if self.mask is not None:
            added = added * token_mask(self.mask, q, place)
        return torch.add(out, added, alpha=self.weight)

    def cleanup(self) -> None:
        self.keys_values.cleanup()
        if self.mask is not None:
            self.mask.cleanup()
