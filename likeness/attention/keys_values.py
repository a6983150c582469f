"""Keys and values of tokens that never change, projected once.

An adapter's projections for SDXL weigh 682 MB; what they make of 2 x 16 tokens is 10.6 MB (fp16).
Only the latter has to be there while sampling. Spec: instantid_arc2face.md 1.6.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

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
