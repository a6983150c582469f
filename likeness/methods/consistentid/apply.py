"""Putting ConsistentID into a MODEL: its changes of the weights, and who it is. Spec: adapters.md 1.5."""

from __future__ import annotations

import logging
from typing import Any

from ...adapters import attend, kind_of
from ...attention.use import Use
from .adapter import ConsistentID
from .features import Features

log = logging.getLogger(__name__)


def apply(model: Any, adapter: ConsistentID, features: Features, use: Use, lora_strength: float = 1.0) -> Any:
    """A clone of MODEL that draws the person; MODEL itself when there is nothing to do.

    lora_strength: of the changes of the weights, which hold for all of the picture, all rows and all steps;
    weight, window and mask of `use` are about the tokens alone. Raises ValueError for a MODEL that the file
    was not made for, and for features of another file.
    """
    adapter.check(features.tokens)
    changed = model
    if lora_strength != 0 and adapter.loras is not None:
        network = model.model.diffusion_model
        sites, numbers = adapter.layers.match(network, kind_of(model), adapter.words.needs)
        changed = adapter.loras.patch(model, sites, numbers, lora_strength)
    return attend(changed, adapter, features.tokens, use)
