"""Which self-attention layers look at the foundation. Spec: pva_freecure_emojidiff.md B.2.

Numbers count a network's transformer blocks in the order they run: down, middle, up.
"""

from __future__ import annotations

import re

from torch import nn

from ...attention.sites import Site, attention_sites

_RUN_ORDER = {"input": 0, "middle": 1, "output": 2}
_PART = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")  # Python reads no number of 5000 digits
#: The last 20 of SDXL's 70 layers, the last 6 of SD1.x's 16: the authors' choice, as a share of all.
_SDXL_SHARE, _SD1_SHARE = 20 / 70, 6 / 16


def execution_order(network: nn.Module) -> tuple[Site, ...]:
    """Every self-attention layer in the order of execution; empty for a network that is no U-Net."""
    # Sorting is stable: inside a part of the network the walk is in order already.
    return tuple(sorted(attention_sites(network, "attn1"), key=lambda site: _RUN_ORDER[site.key[0]]))


def choose_layers(sites: tuple[Site, ...], layers: str) -> tuple[Site, ...]:
    """The layers of `sites` (in execution order) that a text names.

    `default`, `all_up`, or numbers and ranges such as `12-16` or `3, 5, 8-10`. Raises ValueError for
    anything else and for numbers the network does not have.
    """
    wanted = layers.strip().lower()
    if wanted == "default":
        return sites[len(sites) - _default_count(sites) :]
    if wanted == "all_up":
        return tuple(site for site in sites if site.key[0] == "output")
    numbers = set(layer_numbers(wanted, len(sites), "default, all_up"))
    return tuple(site for number, site in enumerate(sites) if number in numbers)


def _default_count(sites: tuple[Site, ...]) -> int:
    # SDXL stacks several transformer blocks in one place of the network, SD1.x and SD2 never do.
    share = _SDXL_SHARE if any(site.key[2] > 0 for site in sites) else _SD1_SHARE
    return max(1, round(len(sites) * share))


def layer_numbers(text: str, count: int, presets: str) -> list[int]:
    """The numbers below `count` that a text lists; presets are named in the ValueError for any other text."""
    numbers: list[int] = []
    for part in re.split(r"[,\s]+", text.strip(", ")):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(
                f"layers: {text!r} is not understood. Write {presets}, or block numbers in "
                f"execution order from 0 to {count - 1}, such as 12-16 or 3, 5, 8-10."
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last or last >= count:
            raise ValueError(
                f"layers: {part!r} is not among this model's {count} transformer blocks, which are "
                f"numbered 0 to {count - 1} in execution order."
            )
        numbers += range(first, last + 1)
    return numbers
