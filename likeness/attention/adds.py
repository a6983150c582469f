"""Attention to constant tokens, added to what a layer computes: InstantID and the IP-Adapter family.

Keys and values of tokens that never change are projected once. An adapter's projections for SDXL weigh
682 MB; what they make of 2 x 16 tokens is 10.6 MB (fp16), and only that has to be there while sampling. Spec:
instantid_arc2face.md 1.3.3, 1.6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from .calls import Call
from .masks import PictureMask, token_mask
from .sites import SiteKey
from .sources import Attention, Place, Rows
from .use import Window
from .views import Role, View

BOTH: frozenset[Role] = frozenset({"positive", "negative"})

#: An adapter layer: to_k and to_v weights, [hidden, token width] each.
Pair = tuple[torch.Tensor, torch.Tensor]


class KeysValues:
    """K and V of all layers in one float32 buffer on the CPU, lent to a device while sampling."""

    def __init__(self, buffer: torch.Tensor, shapes: Sequence[tuple[int, int, int]]) -> None:
        """buffer is flat: for each shape (roles, tokens, hidden), K and then V."""
        self._buffer = buffer
        self.shapes = tuple(shapes)
        self._lent: dict[tuple[torch.device, torch.dtype], list[Pair]] = {}

    def __len__(self) -> int:
        return len(self.shapes)

    @property
    def values(self) -> int:
        """How many numbers are kept."""
        return self._buffer.numel()

    def bytes(self, dtype: torch.dtype) -> int:
        """Memory on the device at this precision."""
        return self.values * dtype.itemsize

    def on(self, like: torch.Tensor) -> list[Pair]:
        """(K, V) of every layer, each [roles, tokens, hidden], at the device and dtype of `like`."""
        return self._lent.get((like.device, like.dtype)) or self.lend(like.device, like.dtype)

    def lend(self, device: torch.device, dtype: torch.dtype) -> list[Pair]:
        """The same, before anybody asks for it."""
        key = (device, dtype)
        if key not in self._lent:
            self._lent[key] = self._split(self._buffer.to(device, dtype))
        return self._lent[key]

    def cleanup(self) -> None:
        """Give the device its memory back; the buffer on the CPU stays."""
        self._lent.clear()

    def _split(self, buffer: torch.Tensor) -> list[Pair]:
        sizes = [r * t * h for r, t, h in self.shapes for _ in range(2)]
        parts = iter(buffer.split(sizes))
        return [(next(parts).view(shape), next(parts).view(shape)) for shape in self.shapes]


def project(tokens: torch.Tensor, pairs: Sequence[Pair]) -> KeysValues:
    """K and V of tokens [roles, T, D] for every layer, in float32 on the CPU, layer by layer."""
    tokens = tokens.to("cpu", torch.float32)
    roles, count, _ = tokens.shape
    shapes = [(roles, count, k.shape[0]) for k, _ in pairs]
    buffer = torch.empty(2 * sum(r * t * h for r, t, h in shapes), dtype=torch.float32)
    store = KeysValues(buffer, shapes)
    for (keys, values), (to_k, to_v) in zip(store._split(buffer), pairs, strict=True):
        keys.copy_(F.linear(tokens, to_k.to(torch.float32)))
        values.copy_(F.linear(tokens, to_v.to(torch.float32)))
    return store


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


def rows_of(per_role: Tensor, views: Sequence[View], rows: int, what: str = "expressions") -> Tensor:
    """[1 + N, T, D] laid out for `rows` rows: [rows, T, D], without copies where it can.

    The first is for negative rows, the N others for positive ones: one for every picture of the batch, or
    one each. Raises ValueError for any other N; what: the name of the N for that.
    """
    batch, each = rows // len(views), len(per_role) - 1
    nobody, somebody = per_role[:1], per_role[1:]
    roles = [view.role for view in views]
    if each == 1 and batch == 1 and roles == ["negative", "positive"]:
        return per_role
    parts = []
    for view in views:
        own = nobody if view.role == "negative" else somebody
        if len(own) > 1:
            check_count(len(own), view, batch, what)
            own = view.pick(own)
        parts.append(own)
    if len(parts) == 1 or (len(set(roles)) == 1 and len(parts[0]) == 1):
        return parts[0] if len(parts[0]) == rows else parts[0].expand(rows, -1, -1)
    return torch.cat([part.expand(batch, -1, -1) for part in parts])


def check_count(found: int, view: View, rows: int, what: str) -> None:
    """Raises ValueError unless there is one of something for all pictures of the batch, or one for each."""
    if found not in (1, view.count(rows)):
        raise ValueError(
            f"There are {found} {what} for {view.count(rows)} pictures: give one for all, or one for each "
            "picture of the latent batch."
        )
