"""ConsistentID's low-rank changes of every attention layer, as patches of the MODEL's weights.

Everywhere the authors' layer computes `W x + up(down(x))` with nothing between, which is `(W + up down) x`:
so patches of the weights are exact, and other LoRAs and merges add to them. Spec: adapters.md 1.5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ... import host
from ...adapters import AdapterLayers
from ...attention.sites import Layer, Site, attention_module, attention_sites

#: A layer of the file and that of the network.
_TARGETS = {"to_q": "to_q", "to_k": "to_k", "to_v": "to_v", "to_out": "to_out.0"}
_KEY = re.compile(r"(0|[1-9][0-9]{0,5})\.(to_q|to_k|to_v|to_out)_lora\.(up|down)\.weight")
#: (up, down) of one projection.
Halves = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, eq=False)
class Loras:
    """pairs[n, projection], n over all attention layers: 2 s is self-, 2 s + 1 cross-attention of site s."""

    pairs: Mapping[tuple[int, str], Halves]
    name: str

    @classmethod
    def parse(cls, tensors: Mapping[str, torch.Tensor], layers: AdapterLayers, name: str) -> Loras:
        """Raises ValueError unless every layer of the file has all four, each of the right shape."""
        found = {match.groups(): value for key, value in tensors.items() if (match := _KEY.fullmatch(key))}
        unknown = [key for key in tensors if not _KEY.fullmatch(key)]
        if unknown:
            raise ValueError(f"{name} is another file than ConsistentID's: adapter_modules has {unknown[0]}.")
        pairs = {}
        for number in range(2 * len(layers.pairs)):
            hidden = layers.pairs[number // 2][0].shape[0]
            for projection in _TARGETS:
                inside = layers.token_width if number % 2 and projection in ("to_k", "to_v") else hidden
                up, down = (found.pop((str(number), projection, half), None) for half in ("up", "down"))
                if up is None or down is None:
                    raise ValueError(
                        f"{name} is incomplete: adapter_modules has no whole {number}.{projection}_lora. "
                        "Delete it and download it again."
                    )
                rank = len(down) if down.ndim else 0
                if tuple(up.shape) != (hidden, rank) or tuple(down.shape) != (rank, inside) or rank == 0:
                    raise ValueError(
                        f"{name} is damaged: {number}.{projection}_lora is {list(up.shape)} and "
                        f"{list(down.shape)}, which does not fit {hidden}x{inside}."
                    )
                pairs[number, projection] = (up, down)
        if found:
            beyond = ".".join(next(iter(found))[:2])
            raise ValueError(f"{name} is cut: it has {beyond}_lora, but not that layer's to_k_ip.")
        return cls(pairs, name)

    def patch(self, model: Any, sites: Sequence[Site], numbers: Sequence[int], strength: float) -> Any:
        """A clone of MODEL with the changes on its weights. sites: its cross-attention layers, and the number
        of each among those of the file.
        """
        tensors: dict[str, torch.Tensor] = {}
        for target, (up, down) in self._named(model.model.diffusion_model, sites, numbers):
            tensors |= {f"{target}.lora_up.weight": up, f"{target}.lora_down.weight": down}
        patched, unused = host.loading.add_lora(model, tensors, strength)
        if unused:
            raise ValueError(f"model has no {unused[0]}, which {self.name} changes.")
        return patched

    def _named(
        self, network: torch.nn.Module, sites: Sequence[Site], numbers: Sequence[int]
    ) -> Iterator[tuple[str, Halves]]:
        """Every changed layer by the MODEL's name of it."""
        names = {id(module): name for name, module in network.named_modules()}
        kinds: tuple[Layer, Layer] = ("attn1", "attn2")
        there = {kind: {site.key for site in attention_sites(network, kind)} for kind in kinds}
        for site, number in zip(sites, numbers, strict=True):
            for place, kind in enumerate(kinds):
                if site.key not in there[kind]:
                    continue
                where = names[id(attention_module(network, site.key, kind))]
                for projection, target in _TARGETS.items():
                    halves = self.pairs[2 * number + place, projection]
                    yield f"diffusion_model.{where}.{target}", halves
