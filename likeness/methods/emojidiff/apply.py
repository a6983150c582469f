"""Putting expressions into a MODEL, beside any other adapter. Spec: pva_freecure_emojidiff.md C.1 to C.3."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch

from ... import host
from ...attention.adds import BOTH, AddedAttention
from ...attention.calls import Role
from ...attention.engine import inject
from ...attention.sites import Site
from ...attention.use import Use, kind_of
from ...choices.emojidiff import ALL, BLACK, CUSTOM, LAYERS, MID_UP, NEGATIVES, NOTHING, UP_ONLY
from .adapter import EAdapter, ExpressionTokens

log = logging.getLogger(__name__)

_PARTS: Mapping[str, frozenset[str]] = {
    ALL: frozenset({"input", "middle", "output"}),
    UP_ONLY: frozenset({"output"}),
    MID_UP: frozenset({"middle", "output"}),
}
_ROLES: Mapping[str, frozenset[Role]] = {BLACK: BOTH, NOTHING: frozenset({"positive"})}
_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")  # Python reads no number of 5000 digits
_NEEDS = "An E-adapter needs a model of the family it was trained for"


def apply(
    model: Any,
    adapter: EAdapter,
    tokens: ExpressionTokens,
    use: Use,
    layers: str = ALL,
    layer_list: str = "",
    negative: str = BLACK,
) -> Any:
    """A clone of MODEL whose pictures show the expressions; MODEL itself when there is nothing to do.

    One expression is for every picture of a batch; N are for the N pictures of a batch, in order. layers,
    layer_list: see chosen_layers. Raises ValueError, naming the input, for anything that does not fit.
    """
    if negative not in NEGATIVES:
        raise ValueError(f"negative must be one of {', '.join(NEGATIVES)}, not {negative!r}.")
    if tokens.adapter != adapter.name:
        raise ValueError(
            f"expression_tokens were made with {tokens.adapter}, but eadapter is {adapter.name}: connect the "
            "same Load E-Adapter to both nodes."
        )
    sites, numbers = adapter.layers.match(model.model.diffusion_model, kind_of(model), _NEEDS)
    wanted = chosen_layers(layers, layer_list)
    chosen = [(s, n) for s, n in zip(sites, numbers, strict=True) if wanted(s, adapter.layers.number(n))]
    if not chosen:
        log.info("Apply E-Adapter changes nothing: no layer of %s is among the layers chosen.", adapter.name)
        return model
    if use.nothing("Apply E-Adapter") or use.weight == 0:
        return model
    kept = adapter.layers.keys_values(torch.cat([tokens.null, tokens.tokens]), tuple(n for _, n in chosen))
    roles = _ROLES[negative]
    source = AddedAttention(kept, use.weight, use.window, use.where, host.attention.narrow_attention, roles)
    return inject(model, tuple(s for s, _ in chosen), source, host.attention.base_attention)


def chosen_layers(layers: str, layer_list: str = "") -> Callable[[Site, int], bool]:
    """Whether a site, whose number in adapter files is the second argument, is among the layers chosen.

    layers: a part of the network, or `custom`: then layer_list names them by their numbers in the file,
    such as `13-23, 31`; empty is none. Raises ValueError for anything else.
    """
    if layers not in LAYERS:
        raise ValueError(f"layers must be one of {', '.join(LAYERS)}, not {layers!r}.")
    if layers != CUSTOM:
        parts = _PARTS[layers]
        return lambda site, number: site.key[0] in parts
    wanted = _numbers(layer_list)
    return lambda site, number: number in wanted


def _numbers(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in re.split(r"[,\s]+", text.strip(", \n")) if text.strip(", \n") else ():
        match = _RANGE.fullmatch(part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if match is None or first > last or not 1 <= first <= last <= 999:
            raise ValueError(
                f"layer_list: {part!r} is not understood. Write the layers' numbers in the file, 1, 3, 5 and "
                "so on, such as 13-23, 31."
            )
        found.update(range(first, last + 1))
    return frozenset(found)
