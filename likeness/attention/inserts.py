"""A gated layer of its own between the self- and the cross-attention of each block: FACT. GLIGEN's form.

The pictures' tokens look at themselves and at constant tokens in one softmax, then go through a feed-forward
layer; both are added by a gate. Keys and values of the constant tokens are made once: the norm before them
works token by token, so that is exact. Spec: fact_wplus.md A.2, adapters.md 4.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .adds import KeysValues, rows_of
from .calls import Call, current_call
from .compiled import look
from .engine import announce
from .masks import PictureMask, token_mask
from .sites import SiteKey
from .sources import Attention, Inserts, Place
from .use import Window

#: The host's list of patches between the two attentions.
_SLOT = "middle_patch"


class InsertPatch:
    """What stands in the host's list of middle patches. The host calls it in every block; never changed."""

    def __init__(self, source: Inserts) -> None:
        self.source = source

    def __call__(self, hidden: Tensor, extra_options: dict[str, Any]) -> Tensor:
        look()
        call = current_call(extra_options)
        name, number = extra_options["block"]
        place = Place((name, number, extra_options["block_index"]), call, extra_options)
        return self.source.insert(hidden, place) if self.source.window.holds(call) else hidden

    def to(self, device_or_dtype: torch.device | torch.dtype) -> InsertPatch:
        """Called by the host, first with a device, then with a dtype; all follows the hidden states."""
        return self

    def models(self) -> list[Any]:
        """What the host loads beside the MODEL, and may unload."""
        return list(self.source.models())

    def cleanup(self) -> None:
        """Called by the host when sampling ends, in success, error or cancel."""
        self.source.cleanup()


def insert(model: Any, source: Inserts) -> Any:
    """A clone of MODEL whose blocks carry `source`, behind what was inserted before. MODEL is not changed."""
    model = model.clone()
    model.set_model_patch(InsertPatch(source), _SLOT)
    announce(model, (), source)
    return model


@dataclass(frozen=True, eq=False)
class GatedSelfAttention:
    """x += weight gate_1 mask Attention(x and tokens); x += weight gate_2 mask FeedForward(x), in each block.

    network: the host's, in its care; a layer per block with norm1, attn, norm2, ff. gates: tanh of each
    layer's two numbers, on which weight has no part. numbers: the place of each layer among those of network,
    gates and keys_values. attention is the host's own. Rows of both roles look, each at its own tokens.
    """

    network: Any
    gates: Sequence[tuple[float, float]]
    keys_values: KeysValues
    numbers: Mapping[SiteKey, int]
    weight: float
    window: Window
    mask: PictureMask | None
    attention: Attention

    def insert(self, hidden: Tensor, place: Place) -> Tensor:
        """hidden [rows, tokens, width], as self-attention left it -> the same with what is added."""
        number = self.numbers.get(place.site)
        if number is None:
            return hidden
        layer, gates = self.network.model[number], self.gates[number]
        mask = None
        if self.mask is not None:
            mask = token_mask(self.mask, hidden, place.call, place.options)
        attended = self._attended(layer, hidden, number, place)
        hidden = _gated(hidden, attended, self.weight * gates[0], mask)
        return _gated(hidden, layer.ff(layer.norm2(hidden)), self.weight * gates[1], mask)

    def _attended(self, layer: Any, hidden: Tensor, number: int, place: Place) -> Tensor:
        own, attn, views = layer.norm1(hidden), layer.attn, place.call.views
        keys, values = (rows_of(x, views, len(own), "identities") for x in self.keys_values.on(own)[number])
        keys, values = (
            torch.cat([made, extra.expand(len(own), -1, -1)], dim=1)
            for made, extra in ((attn.to_k(own), keys), (attn.to_v(own), values))
        )
        out: Tensor = attn.to_out(self.attention(attn.to_q(own), keys, values, place.options))
        return out

    def models(self) -> list[Any]:
        return [self.network]

    @cached_property
    def constants(self) -> str:
        mask = None if self.mask is None else self.mask.mask.shape
        use = self.weight, self.window, mask, tuple(self.gates)
        return repr(("inserted", use, self.numbers, self.keys_values.shapes))

    def prepare(self, call: Call, device: torch.device, dtype: torch.dtype) -> None:
        self.keys_values.lend(device, dtype)

    def cleanup(self) -> None:
        self.keys_values.cleanup()
        if self.mask is not None:
            self.mask.cleanup()


def _gated(x: Tensor, change: Tensor, gate: float, mask: Tensor | None) -> Tensor:
    return torch.add(x, change if mask is None else change * mask, alpha=gate)
