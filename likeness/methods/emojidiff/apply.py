"""Putting expressions into a MODEL, beside any other adapter. Spec: pva_freecure_emojidiff.md C.1 to C.3."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ...adapters import Adapter, Tokens, attend
from ...attention.adds import BOTH
from ...attention.sites import Site
from ...attention.use import Use
from ...attention.views import Role
from ...choices.emojidiff import ALL, BLACK, CUSTOM, LAYERS, MID_UP, NEGATIVES, NOTHING, UP_ONLY

_PARTS: Mapping[str, frozenset[str]] = {
    ALL: frozenset({"input", "middle", "output"}),
    UP_ONLY: frozenset({"output"}),
    MID_UP: frozenset({"middle", "output"}),
}
_ROLES: Mapping[str, frozenset[Role]] = {BLACK: BOTH, NOTHING: frozenset({"positive"})}
_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")  # Python reads no number of 5000 digits


def apply(
    model: Any,
    adapter: Adapter,
    tokens: Tokens,
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
    return attend(model, adapter, tokens, use, _ROLES[negative], chosen_layers(layers, layer_list))


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
