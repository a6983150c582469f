"""What may be put into a network: a source adds to an attention layer's output, lengthens its keys, or
inserts a layer of its own between two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from .calls import CALL, Call
from .sites import SiteKey
from .use import Window
from .views import Role, View

#: (q, k, v, host options, maybe a bias [1 or rows, 1, 1, keys] of the logits) -> [rows, queries, hidden]:
#: projected q, k and v in, before to_out. What the host's own attention computes.
Attention = Callable[..., Tensor]


@dataclass(frozen=True)
class Place:
    """Where a source is asked: the layer, the call as its rows see it, the host's options for them."""

    site: SiteKey
    call: Call
    options: Mapping[str, Any]

    def part(self, start: int, stop: int) -> Place:
        """The same place as some chunks of rows see it: what is inside must not think there are others."""
        if (start, stop) == (0, len(self.call.views)):
            return self
        call = self.call.chunks(start, stop)
        options = {**self.options, CALL: call}
        for name in ("cond_or_uncond", "uuids"):
            given = self.options.get(name) or ()
            if len(given) == len(self.call.views):
                options[name] = given[start:stop]
        return replace(self, call=call, options=options)


@dataclass(frozen=True)
class Rows:
    """Some rows of a layer: projected q, k and v [rows, tokens, hidden].

    made, out: what the layer computes for them without anything that adds. own: whether that is the layer's
    own attention to k, v and `extras`, and nothing of another pack or blended. extras: what lengthens k and
    v, for each chunk; empty: nothing. start, stop, of: which chunks of how many these are.
    """

    q: Tensor
    k: Tensor
    v: Tensor
    made: Tensor | None = None
    own: bool = False
    extras: tuple[tuple[Extra, ...], ...] = ()
    start: int = 0
    stop: int = 1
    of: int = 1

    @property
    def out(self) -> Tensor:
        if self.made is None:
            raise RuntimeError("These rows have not been through their layer yet.")
        return self.made

    def cut(self, x: Tensor) -> Tensor:
        """These chunks' rows of a tensor that has those of all chunks: a view."""
        each = len(x) // self.of
        return x[self.start * each : self.stop * each]

    def part(self, start: int, stop: int, of: int) -> Rows:
        """Some neighbouring chunks of `of`, of rows that are all there are."""
        if (start, stop) == (0, of):
            return self
        cut = Rows(self.q, self.k, self.v, start=start, stop=stop, of=of)
        made = None if self.made is None else cut.cut(self.made)
        q, k, v = (cut.cut(x) for x in (self.q, self.k, self.v))
        return replace(cut, q=q, k=k, v=v, made=made, own=self.own, extras=self.extras[start:stop])


@dataclass(frozen=True, eq=False)
class Extra:
    """Keys and values [1 or rows, m, hidden] that some rows also attend to.

    bias [1 or rows, 1, 1, m] is added to their logits. share: 1 is attention to everything; less blends
    towards the output without them.
    """

    keys: Tensor
    values: Tensor
    bias: Tensor | None = None
    share: float = 1.0


class Source(Protocol):
    """Shared by all layers that it is put into."""

    @property
    def window(self) -> Window:
        """When it acts."""

    @property
    def constants(self) -> str:
        """What of it a compiled graph keeps: numbers, words, shapes."""

    def prepare(self, call: Call, device: torch.device, dtype: torch.dtype) -> None:
        """Before each call of the network, outside of what is compiled: make ready what layers ask for."""

    def cleanup(self) -> None:
        """Let go of what was kept for one sampling run."""


@runtime_checkable
class Adds(Source, Protocol):
    """out += weight * change, for the rows of its roles."""

    @property
    def weight(self) -> float: ...

    @property
    def roles(self) -> frozenset[Role]: ...

    def change(self, rows: Rows, place: Place) -> Tensor:
        """What is added to rows.out, before the weight."""


@runtime_checkable
class Lengthens(Source, Protocol):
    """Rows also attend to keys and values that are not theirs."""

    def extra(self, view: View, rows: Rows, place: Place) -> Extra | None:
        """For neighbouring chunks of one role, of which view is the first; None for nothing."""


@runtime_checkable
class Inserts(Source, Protocol):
    """A layer of its own between the self- and the cross-attention of a block."""

    def insert(self, hidden: Tensor, place: Place) -> Tensor:
        """Hidden states [rows, tokens, width] after self-attention -> as the attention to text finds them."""

    def models(self) -> list[Any]:
        """What the host has to load beside the MODEL."""
