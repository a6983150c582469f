"""Putting an adapter into a MODEL: the same few steps for every method of the IP-Adapter family."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ..attention.adds import BOTH
from ..attention.engine import inject
from ..attention.inserts import insert
from ..attention.sites import Site
from ..attention.sources import Inserts
from ..attention.use import Use
from ..attention.views import Role
from .adapter import Adapter
from .tokens import Tokens

log = logging.getLogger(__name__)

#: Whether a layer, whose number in adapter files is the second argument, is to be used.
Only = Callable[[Site, int], bool]


def attend(
    model: Any,
    adapter: Adapter,
    tokens: Tokens,
    use: Use,
    roles: frozenset[Role] = BOTH,
    only: Only | None = None,
) -> Any:
    """A clone of MODEL whose cross-attention looks at the tokens; MODEL itself when there is nothing to do.

    roles: whose rows look. only: which layers; None is all. Raises ValueError for a MODEL that the adapter
    was not made for, or tokens of another adapter.
    """
    adapter.check(tokens)
    network, kind, layers = model.model.diffusion_model, kind_of(model), adapter.layers
    sites, numbers = layers.match(network, kind, adapter.words.needs)
    pairs = list(zip(sites, numbers, strict=True))
    chosen = [(s, n) for s, n in pairs if only is None or only(s, layers.number(n))]
    if not chosen:
        log.info(
            "%s changes nothing: no layer of %s is among the layers chosen.", adapter.words.node, adapter.name
        )
        return model
    if use.nothing(adapter.words.node) or use.weight == 0:
        return model
    sites, numbers = tuple(s for s, _ in chosen), tuple(n for _, n in chosen)
    source = layers.source(tokens, sites, numbers, use, roles)
    if isinstance(source, Inserts):
        return insert(model, source)
    return inject(model, sites, source, hidden=layers.hidden)


def kind_of(model: Any) -> str:
    """The host's name of a MODEL's family, for messages: SDXL, SD15, Flux, ..."""
    return type(model.model.model_config).__name__
