"""Mode bank: self-attention that also looks at stored tokens of another picture.

Spec: instantid_arc2face.md 2.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from .calls import CALL, Call
from .sites import Layer, SiteKey, attention_module
from .sources import Attention, Place, Window

#: What a layer's self-attention was given when the stored picture went through: [1, tokens, hidden].
Bank = Mapping[SiteKey, Tensor]


@dataclass(frozen=True, eq=False)
class BankAttention:
    """Positive rows attend to their own tokens, then to the bank's; negative rows to their own alone.

    Keys and values of the bank go through the layer's own projections, LoRAs included, once per
    sampling run. weight blends from the plain layer (0) to the reference method (1).
    """

    bank: Bank
    keys: tuple[SiteKey, ...]
    weight: float
    window: Window
    layer: Layer = "attn1"
    _projected: dict[tuple[Any, ...], tuple[Tensor, Tensor]] = field(default_factory=dict, repr=False)

    def attend(self, inner: Attention, q: Tensor, k: Tensor, v: Tensor, place: Place) -> Tensor:
        call = place.call
        looking = [n for n, role in enumerate(call.roles) if role == "positive"]
        if not looking or not self.window.holds(call):
            return inner(q, k, v, place.options)
        if len(looking) == len(call.roles):
            return self._extended(inner, q, k, v, place)
        others = [n for n in range(len(call.roles)) if n not in looking]
        out = torch.empty_like(q).unflatten(0, (len(call.roles), -1))
        for chunks, attend in ((looking, self._extended), (others, _plain)):
            part = part_of(place, call, chunks)
            q_, k_, v_ = (x.unflatten(0, (len(call.roles), -1))[chunks].flatten(0, 1) for x in (q, k, v))
            out[chunks] = attend(inner, q_, k_, v_, part).unflatten(0, (len(chunks), -1))
        return out.flatten(0, 1)

    def _extended(self, inner: Attention, q: Tensor, k: Tensor, v: Tensor, place: Place) -> Tensor:
        keys, values = (x.expand(len(q), -1, -1) for x in self._bank(q, place))
        out = inner(q, torch.cat([k, keys], dim=1), torch.cat([v, values], dim=1), place.options)
        if self.weight == 1:
            return out
        return torch.lerp(inner(q, k, v, place.options), out, self.weight)

    def _bank(self, q: Tensor, place: Place) -> tuple[Tensor, Tensor]:
        """K and V of the bank at this layer, [1, tokens, hidden]."""
        key = (place.index, q.device, q.dtype)
        if key not in self._projected:
            if place.call.network is None:
                raise RuntimeError(
                    "Apply Reference: the network was run without the host's wrappers, by a node that "
                    "replaces the sampling code. Take that node out."
                )
            site = self.keys[place.index]
            module: Any = attention_module(place.call.network, site, self.layer)
            stored = self.bank[site].to(q.device, q.dtype)
            projected = module.to_k(stored), module.to_v(stored)
            if place.call.hooked:
                return projected  # the layer's weights are others in the next call
            self._projected[key] = projected
        return self._projected[key]

    def cleanup(self) -> None:
        self._projected.clear()


def _plain(inner: Attention, q: Tensor, k: Tensor, v: Tensor, place: Place) -> Tensor:
    return inner(q, k, v, place.options)


def part_of(place: Place, call: Call, chunks: list[int]) -> Place:
    """The same place as some chunks of rows see it: what is inside must not think there are others."""
    part = call.chunks(chunks)
    options = {**place.options, CALL: part}
    for name in ("cond_or_uncond", "uuids"):
        if len(place.options.get(name) or ()) == len(call.roles):
            options[name] = [place.options[name][n] for n in chunks]
    return replace(place, call=part, options=options)
