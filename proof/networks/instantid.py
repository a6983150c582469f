"""InstantID's adapter while it learns: a resampler of one vector, and the layers that are alive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from training.resampler import Resampler, Sizes

from .attending import SDXL_KEYS, file_numbers, looking, pairs_of, sites_of
from .start import start

Tensors = dict[str, torch.Tensor]

#: The real one's resampler, narrower and less deep.
_WIDTH, _HEADS, _DEPTH = 128, 2, 2
_VECTOR, TOKENS = 512, 16


class FacesAdapter(nn.Module):
    """network: the trunk, with some of SDXL's 70 layers; the file has zeros for the others."""

    def __init__(self, network: nn.Module, seed: int) -> None:
        super().__init__()
        self.sites = sites_of(network)
        self.numbers = file_numbers(self.sites)
        self.width = self.sites[0].context
        self.image_proj = Resampler(Sizes(_VECTOR, self.width, _WIDTH, _HEADS, _DEPTH, TOKENS))
        start(self.image_proj, seed)
        chance = torch.Generator().manual_seed(seed + 1)
        self.layers: dict[str, nn.Parameter] = {}
        for site, number in zip(self.sites, self.numbers, strict=True):
            keys = torch.randn(site.hidden, self.width, generator=chance) * self.width**-0.5
            self.layers[f"{number}.to_k_ip.weight"] = nn.Parameter(keys)
            # It begins as changing nothing.
            self.layers[f"{number}.to_v_ip.weight"] = nn.Parameter(torch.zeros(site.hidden, self.width))

    def learnt(self) -> dict[str, nn.Parameter]:
        """By the names of the file."""
        named = {f"image_proj.{name}": parameter for name, parameter in self.image_proj.named_parameters()}
        return named | {f"ip_adapter.{name}": parameter for name, parameter in self.layers.items()}

    def tokens(self, vectors: torch.Tensor) -> torch.Tensor:
        """Raw vectors [n, 512], zeros for nobody -> [n, TOKENS, width]."""
        made: torch.Tensor = self.image_proj(vectors[:, None])
        return made

    def options(self, tokens: torch.Tensor, weight: float = 1.0) -> dict[str, Any]:
        """transformer_options with which row n looks at tokens[n]."""
        return looking(self.sites, tokens, pairs_of(self.layers, self.numbers), weight)


def whole(learnt: Mapping[str, torch.Tensor], hidden: int = 64) -> Tensors:
    """The published layout, flat: all 70 layers."""
    width = learnt["image_proj.proj_out.weight"].shape[0]
    made = {name: tensor.detach().clone() for name, tensor in learnt.items()}
    for place in range(len(SDXL_KEYS)):
        for part in ("k", "v"):
            name = f"ip_adapter.{2 * place + 1}.to_{part}_ip.weight"
            made.setdefault(name, torch.zeros(hidden, width))
    return made
