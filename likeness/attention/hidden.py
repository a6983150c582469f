"""What a layer's queries were projected from: noted for sources that have queries of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from .sources import Rows

#: In a MODEL's options: a source wants to know what the layers project. In a layer's options: what it does.
HIDDEN_WANTED, HIDDEN = "likeness_hidden_wanted", "likeness_hidden"


def with_hidden_noted(options: dict[str, Any]) -> dict[str, Any]:
    """Options with which layers note what their attn2.to_q is given, if anybody wants it.

    Noted last: patches of other packs may change it before.
    """
    if not options.get(HIDDEN_WANTED):
        return options
    patches = options.get("patches", {})
    return {**options, "patches": {**patches, "attn2_patch": [*patches.get("attn2_patch", ()), _note_hidden]}}


def _note_hidden(
    hidden: Tensor, context: Tensor, value: Tensor, extra_options: dict[str, Any]
) -> tuple[Tensor, Tensor, Tensor]:
    extra_options[HIDDEN] = hidden
    return hidden, context, value


def hidden_states(rows: Rows, options: Mapping[str, Any], what: str) -> Tensor:
    """What the queries of these rows were projected from: [rows, queries, hidden]. what: whose name to say.

    Raises RuntimeError when the network runs without the host's wrappers.
    """
    hidden = options.get(HIDDEN)
    found = rows.cut(hidden) if isinstance(hidden, Tensor) else None
    if found is None or found.shape[:2] != rows.q.shape[:2]:
        raise RuntimeError(
            f"{what}: the network was run without the host's wrappers, by a node that replaces the sampling "
            "code or the network. Take that node out."
        )
    return found
