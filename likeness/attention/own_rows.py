"""Cross-attention that sees the first tokens of its own prompt once more. Spec: conditioning.md 2.3.

One-Prompt-One-Story stores the keys and values of a prompt that says only who somebody is, and adds them to
those of each frame. CLIP looks backwards only and a frame's prompt begins with the same words, so what would
be stored is there already: rows 0 to m of the layer's own keys and values, LoRAs and hooks included.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .calls import Call
from .sources import Extra, Place, Rows
from .use import Window
from .views import View


@dataclass(frozen=True, eq=False)
class OwnRows:
    """Positive rows attend to the first `count` tokens of their prompt with 1 + strength times the weight.

    strength 1 is the published method, and plain concatenation: no bias, so the host's fast kernels stay in
    use. length: tokens of the prompt, for a network that is run without the host's wrappers; with them it is
    known how often the host repeats a prompt's tokens, and each repeat has its own.
    """

    count: int
    length: int
    strength: float
    window: Window

    def extra(self, view: View, rows: Rows, place: Place) -> Extra | None:
        if view.role != "positive":
            return None
        repeats = [self._repeats(one, rows.k, place.call) for one in place.call.views]
        if len(set(repeats)) == 1:
            keys, values = (_first(x, self.count, repeats[0]) for x in (rows.k, rows.v))
            bias = None
            if self.strength != 1:
                bias = keys.new_full((1, 1, 1, keys.shape[1]), math.log(self.strength))
            return Extra(keys, values, bias)
        # Prompts of several lengths in one call: the tokens of one repeat, weighed as often as there are.
        logs = rows.k.new_tensor([math.log(self.strength * repeat) for repeat in repeats])
        bias = logs.repeat_interleave(len(rows.k) // len(repeats))[:, None, None, None]
        keys, values = (x[:, : self.count] for x in (rows.k, rows.v))
        return Extra(keys, values, bias.expand(-1, 1, 1, keys.shape[1]))

    def _repeats(self, view: View, keys: Tensor, call: Call) -> int:
        """How often the prompt of a chunk stands in its keys."""
        tokens = keys.shape[1]
        if call.latent is None:
            return tokens // self.length if tokens % self.length == 0 else 1
        return view.repeats if tokens % view.repeats == 0 else 1

    @cached_property
    def constants(self) -> str:
        return repr(("own rows", self.count, self.length, self.strength, self.window))

    def prepare(self, call: Call, device: torch.device, dtype: torch.dtype) -> None:
        """Nothing: what is looked at again is the layer's own."""

    def cleanup(self) -> None:
        """Nothing is kept."""


def _first(x: Tensor, count: int, repeats: int) -> Tensor:
    """The first tokens of each repeat of a prompt: of [rows, tokens, hidden], a view where there is one."""
    if repeats == 1:
        return x[:, :count]
    return x.unflatten(1, (repeats, -1))[:, :, :count].flatten(1, 2)
