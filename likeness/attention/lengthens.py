"""Self-attention that also looks at stored tokens of another picture. Spec: instantid_arc2face.md 2.6."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .calls import Call
from .sites import Layer, SiteKey, attention_module
from .sources import Extra, Place, Rows
from .use import Window
from .views import View

#: What a layer's self-attention was given when the stored picture went through: [1, tokens, hidden].
Bank = Mapping[SiteKey, Tensor]


@dataclass(frozen=True, eq=False)
class BankAttention:
    """Positive rows attend to their own tokens, then to the bank's; negative rows to their own alone.

    Keys and values of the bank go through the layer's own projections, LoRAs included, once per
    sampling run. weight blends from the plain layer (0) to the reference method (1).
    """

    bank: Bank
    weight: float
    window: Window
    layer: Layer = "attn1"
    _projected: dict[tuple[Any, ...], Mapping[SiteKey, tuple[Tensor, Tensor]]] = field(
        default_factory=dict, repr=False
    )

    def extra(self, view: View, rows: Rows, place: Place) -> Extra | None:
        if view.role != "positive":
            return None
        kept = self._projected.get((rows.k.device, rows.k.dtype))
        if kept is None:
            raise RuntimeError(
                "Apply Reference: the network was run without the host's wrappers, by a node that "
                "replaces the sampling code. Take that node out."
            )
        return Extra(*kept[place.site], share=self.weight)

    @cached_property
    def constants(self) -> str:
        shapes = {site: tuple(x.shape) for site, x in self.bank.items()}
        return repr(("bank", self.weight, self.window, shapes))

    def prepare(self, call: Call, device: torch.device, dtype: torch.dtype) -> None:
        """Project the bank, unless it is; anew where hooks change the layers' weights between calls."""
        key = (device, dtype)
        if call.network is None or (key in self._projected and not call.hooked):
            return
        if not self.window.holds(call) or "positive" not in call.roles:
            return
        made = {}
        for site, stored in self.bank.items():
            module: Any = attention_module(call.network, site, self.layer)
            given = stored.to(device, dtype)
            made[site] = module.to_k(given), module.to_v(given)
        self._projected[key] = made

    def cleanup(self) -> None:
        self._projected.clear()
