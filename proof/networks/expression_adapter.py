"""Arc2Face's expression adapter while it learns: FLAME parameters as tokens, and layers that look at them.

Tokens are as wide as the drawn Arc2Face's words, but only the first LIVE of their numbers learn; the file has
zeros for the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from .arc2face import WIDTH
from .attending import file_numbers, looking, pairs_of, sites_of
from .start import start

Tensors = dict[str, torch.Tensor]

TOKENS, LIVE, _NUMBERS = 8, 128, 55


class ExpressionAdapter(nn.Module):
    """network: the drawn Arc2Face's."""

    def __init__(self, network: nn.Module, seed: int) -> None:
        super().__init__()
        self.sites = sites_of(network)
        self.numbers = file_numbers(self.sites)
        self.proj, self.norm = nn.Linear(_NUMBERS, TOKENS * LIVE), nn.LayerNorm(LIVE)
        start(self, seed)
        chance = torch.Generator().manual_seed(seed + 1)
        with torch.no_grad():  # the tokens differ from each other, whatever the expression
            self.proj.bias.normal_(0, 1, generator=chance)
        self.layers: dict[str, nn.Parameter] = {}
        for site, number in zip(self.sites, self.numbers, strict=True):
            keys = torch.randn(site.hidden, LIVE, generator=chance) * LIVE**-0.5
            self.layers[f"{number}.to_k_ip.weight"] = nn.Parameter(keys)
            # It begins as changing nothing.
            self.layers[f"{number}.to_v_ip.weight"] = nn.Parameter(torch.zeros(site.hidden, LIVE))

    def learnt(self) -> dict[str, nn.Parameter]:
        """By the names of the file."""
        named = {f"image_proj.{name}": parameter for name, parameter in self.named_parameters()}
        return named | {f"ip_adapter.{name}": parameter for name, parameter in self.layers.items()}

    def tokens(self, parameters: torch.Tensor) -> torch.Tensor:
        """[n, 55], zeros for no expression -> [n, TOKENS, LIVE]: what is alive of the file's tokens."""
        dead = (0, WIDTH - LIVE)
        whole = functional.pad(self.proj(parameters).unflatten(-1, (TOKENS, LIVE)), dead)
        weight, bias = (functional.pad(part, dead) for part in (self.norm.weight, self.norm.bias))
        return functional.layer_norm(whole, (WIDTH,), weight, bias)[..., :LIVE]

    def options(self, tokens: torch.Tensor) -> dict[str, Any]:
        """transformer_options with which row n looks at tokens[n]."""
        return looking(self.sites, tokens, pairs_of(self.layers, self.numbers))


def whole(learnt: Mapping[str, torch.Tensor]) -> Tensors:
    """The published layout, flat, from what is alive."""
    made, dead = {}, WIDTH - LIVE
    for name, tensor in learnt.items():
        if name.startswith("image_proj.proj."):
            rows = tensor.reshape(TOKENS, LIVE, -1)
            tensor = functional.pad(rows, (0, 0, 0, dead)).reshape(TOKENS * WIDTH, *tensor.shape[1:])
        else:
            tensor = functional.pad(tensor, (0, dead))
        made[name] = tensor
    return made
