"""An adapter's attention layers, as the IP-Adapter family stores them.

Keys `{n}.to_k_ip.weight` and `{n}.to_v_ip.weight`, n = 1, 3, 5, ... in checkpoint order, each
[hidden, token width]. Spec: instantid_arc2face.md 1.1.2, 2.5.
"""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from .keys_values import KeysValues, Pair, project
from .sites import Site, attention_sites, checkpoint_numbers

log = logging.getLogger(__name__)

_LAYER = re.compile(r"(\d+)\.to_k_ip\.weight")
_KEPT_PROJECTIONS = 4
_FAMILIES = {768: "SD1.5", 1024: "SD2", 2048: "SDXL"}


@dataclass(frozen=True, eq=False)
class AdapterLayers:
    """One (to_k, to_v) pair per cross-attention layer, in host memory."""

    name: str
    pairs: tuple[Pair, ...]
    token_width: int
    _projected: OrderedDict[tuple[Any, ...], KeysValues] = field(default_factory=OrderedDict, repr=False)

    @classmethod
    def parse(cls, layers: Mapping[str, torch.Tensor], token_width: int, name: str) -> AdapterLayers:
        """Raises ValueError when a layer is missing or takes tokens of another width."""
        numbers = sorted(int(match[1]) for match in map(_LAYER.fullmatch, layers) if match)
        if not numbers:
            raise ValueError(f"{name} has no attention layers (ip_adapter.*): it is not a complete adapter.")
        if numbers != list(range(1, 2 * len(numbers), 2)):
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
        return cls(name, tuple(pairs), token_width)

    def keys_values(self, tokens: torch.Tensor, numbers: tuple[int, ...]) -> KeysValues:
        """K and V of tokens [2, T, D]; those of the last few tokens are kept in host memory."""
        key = (tokens.numpy().tobytes(), numbers)
        if key not in self._projected:
            self._projected[key] = project(tokens, [self.pairs[number] for number in numbers])
        self._projected.move_to_end(key)
        while len(self._projected) > _KEPT_PROJECTIONS:
            self._projected.popitem(last=False)
        return self._projected[key]

    def match(
        self, network: torch.nn.Module, kind: str, needs: str
    ) -> tuple[tuple[Site, ...], tuple[int, ...]]:
        """The network's cross-attention layers and the adapter layer that belongs to each.

        kind names the MODEL and needs what it should be ("InstantID needs an SDXL checkpoint").
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
            numbers = checkpoint_numbers(sites, len(self.pairs))
        except ValueError as error:
            raise ValueError(f"model is {kind}, which does not fit {self.name}. {error} {needs}.") from error
        for site, number in zip(sites, numbers, strict=True):
            hidden = self.pairs[number][0].shape[0]
            if hidden != site.hidden:
                raise ValueError(
                    f"model is {kind}; its layer {site.key} is {site.hidden} wide, but layer "
                    f"{2 * number + 1} of {self.name} is {hidden} wide: the adapter was made for another "
                    "model."
                )
        if len(sites) < len(self.pairs):
            log.info("%s: %d of %d layers are used, by position.", kind, len(sites), len(self.pairs))
        return sites, numbers


def _width(width: int) -> str:
    return f"{width} ({_FAMILIES[width]})" if width in _FAMILIES else str(width)
