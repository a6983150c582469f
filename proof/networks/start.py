"""How a network begins, from a seed alone: torch's own start draws on a generator that everybody shares."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def start(network: nn.Module, seed: int) -> None:
    """Matrices and kernels by chance, as wide as ReLU wants them; biases 0, norms 1."""
    chance = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            parameter.normal_(0, (2 / parameter[0].numel()) ** 0.5, generator=chance)
        else:
            parameter.fill_(1.0 if name.endswith("weight") else 0.0)
