"""Foundation-aware self-attention: the personalised picture looks at the foundation's tokens.

Both branches go through the same layer at the same step. The foundation's layer notes its keys and
values; the personalised one attends to its own and, where the attribute mask says so, to those.
Spec: pva_freecure_emojidiff.md B.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ...attention.calls import Call
from ...attention.sites import SiteKey
from ...attention.sources import Extra, Place, Rows
from ...attention.use import Window
from ...attention.views import Role, View
from ...choices.freecure import Mode
from .mask import AttributeMask, Chosen, per_token


@dataclass(frozen=True, eq=False)
class Looking:
    """What is looked at, how and when.

    mode code: the masked tokens with `strength` added to their logits; paper_masked: the masked
    tokens with their logits times `strength`; paper: all tokens, logits times strength times mask.
    Positive rows look in full, negative rows to 1 - style_fidelity. layers: how many of them look.
    literal: in mode paper a picture with an empty mask looks, too, as the formula says (B.2).
    """

    mask: AttributeMask
    mode: Mode
    strength: float
    style_fidelity: float
    window: Window
    layers: int = 1
    literal: bool = True

    def share(self, role: Role) -> float:
        return 1.0 if role == "positive" else 1.0 - self.style_fidelity


@dataclass(frozen=True, eq=False)
class Tokens:
    """The foundation's part in one layer, for one role: K and V, and bias or None.

    K and V are [rows, m, hidden] in a U-Net and [rows, heads, m, size], rotated, in Flux.
    """

    keys: Tensor
    values: Tensor
    bias: Tensor | None

    @property
    def bytes(self) -> int:
        return sum(t.numel() * t.element_size() for t in (self.keys, self.values))


class Enough(Exception):
    """Raised inside a network whose further layers nobody needs: every token that was asked for is kept."""


class FoundationTokens:
    """Keys and values of one step. Emptied when the step is over, however it ends.

    stop_at: (layer number, role) of what is asked for last; a Recorder that has it raises Enough.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[int, Role], Tokens] = {}
        self.stop_at: frozenset[tuple[int, Role]] = frozenset()
        self.most_bytes = 0

    @property
    def enough(self) -> bool:
        return bool(self.stop_at) and self.stop_at <= self._kept.keys()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def bytes(self) -> int:
        return sum(tokens.bytes for tokens in self._kept.values())

    def has(self, index: int, role: Role) -> bool:
        """Whether this step's tokens are there. Those of its first pass count: nodes such as PAG and SAG
        send other ones through the network afterwards."""
        return (index, role) in self._kept

    def keep(self, index: int, role: Role, tokens: Tokens) -> None:
        self._kept[index, role] = tokens

    def of(self, index: int, role: Role) -> Tokens:
        """Raises RuntimeError when the foundation has not been through this layer in this step."""
        if (index, role) not in self._kept:
            raise RuntimeError(
                f"FreeCure: the foundation's {role} prompt has not been through layer {index} at this step: "
                "another node replaces the sampling code or leaves out layers that it finds unchanged. Take "
                "that node out."
            )
        return self._kept[index, role]

    def clear(self) -> None:
        self.most_bytes = max(self.most_bytes, self.bytes)
        self.stop_at = frozenset()
        self._kept.clear()


@dataclass(frozen=True, eq=False)
class FoundationSource:
    """What both branches have in common; numbers: the place of each layer among those that look."""

    tokens: FoundationTokens
    looking: Looking
    numbers: Mapping[SiteKey, int]

    @property
    def window(self) -> Window:
        return self.looking.window

    @property
    def constants(self) -> str:
        look = self.looking
        how = (look.mode, look.strength, look.style_fidelity, look.window, look.literal)
        return repr((type(self).__name__, *how))

    def prepare(self, call: Call, device: torch.device, dtype: torch.dtype) -> None:
        """Nothing: what is looked at is made by the foundation's layers."""

    def cleanup(self) -> None:
        self.tokens.clear()
        self.looking.mask.cleanup()


@dataclass(frozen=True, eq=False)
class Recorder(FoundationSource):
    """In the foundation's layers: lengthens nothing, notes what the personalised branch may look at."""

    def extra(self, view: View, rows: Rows, place: Place) -> None:
        index = self.numbers[place.site]
        if self.looking.share(view.role) > 0 and not self.tokens.has(index, view.role):
            chosen = _chosen(self.looking.mask, rows.k, place)
            self.tokens.keep(index, view.role, looked_at(self.looking, chosen, rows.k, rows.v))
        if self.tokens.enough:
            raise Enough


@dataclass(frozen=True, eq=False)
class FoundationAware(FoundationSource):
    """In the personalised branch's layers: own tokens and the foundation's, in one softmax."""

    def extra(self, view: View, rows: Rows, place: Place) -> Extra | None:
        share = self.looking.share(view.role)
        if share == 0:
            return None
        tokens = self.tokens.of(self.numbers[place.site], view.role)
        return Extra(tokens.keys, tokens.values, tokens.bias, share)


def looked_at(looking: Looking, chosen: Chosen, k: Tensor, v: Tensor) -> Tokens:
    """What is kept of a layer's keys and values [rows, (heads,) tokens, C], rotated where they are at all."""
    if looking.mode == "paper":
        # A logit is linear in its key, so scaling keys is scaling logits; masked-out ones become 0.
        scale = per_token(chosen.mask.to(k.dtype), k) * looking.strength
        return Tokens(k * scale, v.clone(), None if looking.literal else _blank_bias(chosen, k))
    keys, values = chosen.gather(k), chosen.gather(v)
    if looking.mode == "paper_masked":
        keys = keys * looking.strength
    return Tokens(keys, values, _bias(looking, chosen, keys))


def _blank_bias(chosen: Chosen, like: Tensor) -> Tensor | None:
    """Hides every token from pictures whose mask is empty: [M, 1, 1, tokens]."""
    if chosen.blank is None:
        return None
    bias = like.new_zeros((len(chosen.blank), 1, 1, like.shape[-2]))
    return bias.masked_fill_(chosen.blank[:, None, None, None], -torch.inf)


def _bias(looking: Looking, chosen: Chosen, like: Tensor) -> Tensor | None:
    """What is added to the logits of the gathered tokens: [1 or rows, 1, 1, m]."""
    added = looking.strength if looking.mode == "code" else 0.0
    if added == 0 and chosen.there is None:
        return None
    rows, most = chosen.numbers.shape
    bias = like.new_full((rows, 1, 1, most), added)
    if chosen.there is not None:
        bias.masked_fill_(~chosen.there[:, None, None], -torch.inf)
    return bias


def _chosen(mask: AttributeMask, k: Tensor, place: Place) -> Chosen:
    options, call = place.options, place.call
    call.check_parts("mask")
    grid = (int(options["activations_shape"][-2]), int(options["activations_shape"][-1]))
    if grid[0] * grid[1] != k.shape[1]:
        raise ValueError(
            f"FreeCure: a layer works on {k.shape[1]} tokens of a {grid[1]}x{grid[0]} grid, because another "
            "node merges or tiles tokens. Take that node out of both models."
        )
    height, width = (int(side) for side in options["original_shape"][-2:])
    return mask.choose(call.latent or (height, width), grid, len(k), k)
