"""A layer's attention with keys that are not its own, by the host's code or by another pack's."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from .sources import Attention, Extra, Place, Rows

log = logging.getLogger(__name__)

#: What a slot holds: called with projected q, k, v and the host's options.
Replacement = Callable[..., Tensor]


def extended(
    foreign: Replacement | None, attention: Attention, rows: Rows, extras: Sequence[Extra], place: Place
) -> Tensor:
    """Attention of some rows to their own keys and all extra ones; shares below 1 blend, in any order."""
    blended = next((extra for extra in extras if extra.share != 1), None)
    if blended is not None:
        others = [extra for extra in extras if extra is not blended]
        without = extended(foreign, attention, rows, others, place)
        full = extended(foreign, attention, rows, [*others, replace(blended, share=1.0)], place)
        return torch.lerp(without, full, blended.share)
    q, k, v, options = rows.q, rows.k, rows.v, place.options
    if not extras:
        return (foreign or attention)(q, k, v, options)
    keys, values, bias = longer_keys(rows, extras, place)
    if foreign is None:
        return attention(q, keys, values, options, bias)
    # A foreign attention adds no bias of ours; and some, such as PAG's, return the values they are given.
    longer = foreign(q, keys, values, options) if bias is None else None
    if longer is not None and longer.shape == q.shape:
        return longer
    _say_once(foreign, place)
    return foreign(q, k, v, options)


def longer_keys(rows: Rows, extras: Sequence[Extra], place: Place) -> tuple[Tensor, Tensor, Tensor | None]:
    """(keys, values, bias) of some rows and of what lengthens them; see `_bias`. Shares count as 1."""
    q, k, v = rows.q, rows.k, rows.v
    tiles = len(q) // len(k)
    own_k, own_v = (_tiled(x, tiles, place) for x in (k, v))
    keys = torch.cat([own_k, *(_spread(extra.keys, len(q), len(k)) for extra in extras)], dim=1)
    values = torch.cat([own_v, *(_spread(extra.values, len(q), len(k)) for extra in extras)], dim=1)
    return keys, values, _bias(extras, own_k, len(q), len(k))


def _tiled(x: Tensor, tiles: int, place: Place) -> Tensor:
    """Own keys, as the host deals them out to queries that another node cut into tiles (HyperTile)."""
    if tiles <= 1:
        return x
    if x.shape[1] % tiles:
        raise ValueError(
            f"{place.site}: another node cuts the queries of this layer into {tiles} tiles, which do not "
            f"divide its {x.shape[1]} keys. Take that node (HyperTile) out, or set its swap_size to 1."
        )
    return x.reshape(len(x) * tiles, -1, x.shape[-1])


def _spread(x: Tensor, rows: int, own: int) -> Tensor:
    """Extra keys or a bias for all rows of the queries."""
    if len(x) == 1:
        return x.expand(rows, *[-1] * (x.ndim - 1))
    return x if rows == own else x.repeat_interleave(rows // own, dim=0)


def _bias(extras: Sequence[Extra], own: Tensor, rows: int, own_rows: int) -> Tensor | None:
    """What is added to the logits, [1 or rows, 1, 1, all keys]; None when that is nothing."""
    if all(extra.bias is None for extra in extras):
        return None
    parts = [own.new_zeros((1, 1, 1, own.shape[1]))]
    for extra in extras:
        none = own.new_zeros((1, 1, 1, extra.keys.shape[1]))
        parts.append(none if extra.bias is None else extra.bias.to(own.dtype))
    if all(len(part) == 1 for part in parts):
        return torch.cat(parts, dim=-1)
    return torch.cat([_spread(part, rows, own_rows) for part in parts], dim=-1)


_told: set[str] = set()


def _say_once(foreign: Replacement, place: Place) -> None:
    module = getattr(foreign, "__module__", None) or type(foreign).__module__
    if module not in _told:
        _told.add(module)
        log.warning(
            "Another node (%s) replaces the attention of layer %s and can't take longer keys: where it acts, "
            "those rows see their own keys only.",
            module,
            place.site,
        )
