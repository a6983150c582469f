"""An adapter's attention layers, as the IP-Adapter family stores them.

Keys `{n}.to_k_ip.weight` and `{n}.to_v_ip.weight`, n = 1, 3, 5, ... in checkpoint order, each
[hidden, token width]. Spec: instantid_arc2face.md 1.1.2, 2.5.
"""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from .. import host
from ..attention.adds import AddedAttention, KeysValues, Pair, project
from ..attention.sites import SDXL_KEYS, Site, attention_sites, checkpoint_numbers, numbered
from ..attention.use import Use
from ..attention.views import Role
from .tokens import Tokens

log = logging.getLogger(__name__)

#: A layer by its number in a file.
LAYER = re.compile(r"([1-9][0-9]{0,5})\.to_k_ip\.weight")
_KEPT_PROJECTIONS = 4
_FAMILIES = {768: "SD1.5", 1024: "SD2", 2048: "SDXL"}


@dataclass(frozen=True, eq=False)
class AdapterLayers:
    """One (to_k, to_v) pair per cross-attention layer, in host memory.

    places: for an adapter that may leave layers out, the place of each pair among the layers of the network
    it was made for (file numbers 1, 3, 5, ... are places 0, 1, 2, ...). Empty: it has them all. of: how many
    layers that network has, if the file says so.
    """

    name: str
    pairs: tuple[Pair, ...]
    token_width: int
    places: tuple[int, ...] = ()
    of: int | None = None
    hidden: bool = False
    _projected: OrderedDict[tuple[Any, ...], KeysValues] = field(default_factory=OrderedDict, repr=False)

    @classmethod
    def parse(
        cls,
        layers: Mapping[str, torch.Tensor],
        token_width: int,
        name: str,
        partial: bool = False,
        of: int | None = None,
    ) -> AdapterLayers:
        """Raises ValueError when a layer is missing or takes tokens of another width.

        partial: layers may have been left out on purpose; of: how many there would be.
        """
        numbers = sorted(int(match[1]) for match in map(LAYER.fullmatch, layers) if match)
        if not numbers:
            raise ValueError(f"{name} has no attention layers (ip_adapter.*): it is not a complete adapter.")
        if partial and not all(number % 2 for number in numbers):
            raise ValueError(f"{name} is damaged: its layers have even numbers, not 1, 3, 5, ...")
        if not partial and numbers != list(range(1, 2 * len(numbers), 2)):
            raise ValueError(
                f"{name} is incomplete: its layers are numbered {numbers[:5]}... instead of 1, 3, 5, ..."
            )
        pairs = []
        for number in numbers:
            to_k, to_v = layers[f"{number}.to_k_ip.weight"], layers.get(f"{number}.to_v_ip.weight")
            if to_v is None or to_v.shape != to_k.shape or to_k.ndim != 2 or to_k.shape[1] != token_width:
                raise ValueError(
                    f"{name} is damaged: layer {number} does not take tokens of width {token_width}."
                )
            pairs.append((to_k, to_v))
        places = tuple(number // 2 for number in numbers) if partial else ()
        return cls(name, tuple(pairs), token_width, places, of)

    def number(self, index: int) -> int:
        """The number in the file of the pair at `index`: 1, 3, 5, ..."""
        return 2 * (self.places[index] if self.places else index) + 1

    def keys_values(self, tokens: torch.Tensor, numbers: tuple[int, ...]) -> KeysValues:
        """K and V of tokens [R, T, D]; those of the last few pairs are kept in host memory."""
        if len(tokens) > 2:  # a sequence of expressions: too much to keep for a run that may not come
            return project(tokens, [self.pairs[number] for number in numbers])
        key = (tokens.numpy().tobytes(), numbers)
        if key not in self._projected:
            self._projected[key] = project(tokens, [self.pairs[number] for number in numbers])
        self._projected.move_to_end(key)
        while len(self._projected) > _KEPT_PROJECTIONS:
            self._projected.popitem(last=False)
        return self._projected[key]

    def source(
        self, tokens: Tokens, sites: Sequence[Site], numbers: Sequence[int], use: Use, roles: frozenset[Role]
    ) -> AddedAttention:
        """Attention to the tokens beside the prompt, by the pairs at `numbers`."""
        kept = self.keys_values(tokens.both, tuple(numbers))
        narrow = host.attention.narrow_attention
        return AddedAttention(kept, numbered(sites), use.weight, use.window, use.picture_mask, narrow, roles)

    def match(
        self, network: torch.nn.Module, kind: str, needs: str
    ) -> tuple[tuple[Site, ...], tuple[int, ...]]:
        """The network's cross-attention layers and the pair (its index) that belongs to each.

        Layers that the adapter leaves out are left out. kind names the MODEL and needs what it should be
        ("InstantID needs an SDXL checkpoint").
        Raises ValueError for a network the adapter was not made for.
        """
        sites = attention_sites(network)
        if not sites:
            raise ValueError(f"model is {kind}, which has no U-Net cross-attention. {needs}.")
        widths = sorted({site.context for site in sites})
        if widths != [self.token_width]:
            found = ", ".join(_width(width) for width in widths)
            raise ValueError(
                f"model is {kind} with prompt tokens of width {found}, but {self.name} was made for "
                f"{_width(self.token_width)}. {needs}."
            )
        try:
            sites, numbers = self._placed(sites)
        except ValueError as error:
            raise ValueError(f"model is {kind}, which does not fit {self.name}. {error} {needs}.") from error
        for site, number in zip(sites, numbers, strict=True):
            hidden, layer = self.pairs[number][0].shape[0], self.number(number)
            if hidden != site.hidden:
                raise ValueError(
                    f"model is {kind}; its layer {site.key} is {site.hidden} wide, but layer "
                    f"{layer} of {self.name} is {hidden} wide: the adapter was made for another "
                    "model."
                )
        if len(sites) < len(self.pairs):
            log.info("%s: %d of %d layers are used, by position.", kind, len(sites), len(self.pairs))
        return sites, numbers

    def _placed(self, sites: tuple[Site, ...]) -> tuple[tuple[Site, ...], tuple[int, ...]]:
        """Sites and the pair of each, by count and place; ValueError when they are not of one kind."""
        if not self.places:
            return sites, checkpoint_numbers(sites, len(self.pairs))
        # A layer beyond the model's last one may belong to an SDXL of which the model kept a part.
        beyond = max(self.places) >= len(sites)
        total = self.of or (len(SDXL_KEYS) if beyond else len(sites))
        index = {place: i for i, place in enumerate(self.places)}
        numbers = checkpoint_numbers(sites, total)
        there = [(s, index[n]) for s, n in zip(sites, numbers, strict=True) if n in index]
        return tuple(s for s, _ in there), tuple(i for _, i in there)


def _width(width: int) -> str:
    return f"{width} ({_FAMILIES[width]})" if width in _FAMILIES else str(width)
