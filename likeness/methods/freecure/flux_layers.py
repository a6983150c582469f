"""Which blocks of Flux look at the foundation. Spec: pva_freecure_emojidiff.md B.2, DiT form."""

from __future__ import annotations

from ...attention.sites import SiteKey
from .layers import layer_numbers


def choose_blocks(blocks: tuple[SiteKey, ...], layers: str) -> tuple[SiteKey, ...]:
    """The blocks (in execution order: double, then single) that a text names.

    `default` (all of them: the paper names none), `single_only`, `last_half`, or numbers and ranges such
    as `19-56`. Raises ValueError for anything else and for numbers the network does not have.
    """
    wanted = layers.strip().lower()
    if wanted == "default":
        return blocks
    if wanted == "single_only":
        return tuple(key for key in blocks if key[0] == "single")
    if wanted == "last_half":
        return blocks[len(blocks) // 2 :]
    numbers = set(layer_numbers(wanted, len(blocks), "default, single_only, last_half"))
    return tuple(key for number, key in enumerate(blocks) if number in numbers)
