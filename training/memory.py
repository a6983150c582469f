"""What a run takes on a graphics card, said before it starts: weights are counted, the rest is guessed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

log = logging.getLogger(__name__)

_GB = 1 << 30
#: Features a U-Net keeps for the way back, in numbers per token and channel: of a residual layer, of a
#: transformer layer. Rough: read off the operations, not measured.
_RESIDUAL, _TRANSFORMER = 8, 28
#: The library's own, and what lies unused between blocks.
_OVERHEAD = 1 << 30


class TooLittleMemory(RuntimeError):
    """The graphics card can't hold the weights, whatever the batch."""


@dataclass(frozen=True)
class Estimate:
    """Bytes. weights: all networks; learning: gradients, the optimiser's averages; features: a guess."""

    weights: int
    learning: int
    features: int

    @property
    def certain(self) -> int:
        return self.weights + self.learning

    @property
    def total(self) -> int:
        return self.certain + self.features + _OVERHEAD

    def __str__(self) -> str:
        parts = [f"{name} {size / _GB:.1f} GB" for name, size in vars(self).items()]
        return f"about {self.total / _GB:.1f} GB ({', '.join(parts)} as a guess)"


def estimate(network: nn.Module, features: int) -> Estimate:
    """Of the network's real parameters. features: bytes kept for the way back, see `unet_features`."""
    everything = [*network.parameters(), *network.buffers()]
    learning = [p for p in network.parameters() if p.requires_grad]
    return Estimate(
        sum(p.numel() * p.element_size() for p in everything),
        sum(3 * p.numel() * p.element_size() for p in learning),
        features,
    )


def unet_features(config: Any, pictures: int, side: int, bytes_each: int, checkpointing: bool) -> int:
    """Of a diffusers UNet2DConditionModel's config, for pictures of a latent `side`.

    With gradient checkpointing every layer keeps only what came in, and one layer at a time all.
    """
    layers = config.layers_per_block if isinstance(config.layers_per_block, int) else 2
    costs, kept = [], 0
    for level, width in enumerate(config.block_out_channels):
        size = pictures * (side >> level) ** 2 * width * bytes_each
        cross = "CrossAttn" in config.down_block_types[level]
        cost = size * (_RESIDUAL + (_TRANSFORMER if cross else 0))
        count = layers + layers + 1  # the way down, and up, which has one more
        costs += [cost] * count
        kept += 3 * size * count
    return kept + max(costs) if checkpointing else sum(costs)


def check(needed: Estimate, device: torch.device) -> None:
    """Says what it will take. On CUDA it warns when that is more than is free.

    Raises TooLittleMemory when the weights and the optimiser alone are more than there is.
    """
    log.info("Memory needed: %s.", needed)
    if device.type != "cuda":
        return
    free, total = torch.cuda.mem_get_info(device)
    if needed.certain > total:
        raise TooLittleMemory(
            f"The weights and the optimiser take {needed.certain / _GB:.1f} GB, the graphics card has "
            f"{total / _GB:.1f} GB."
        )
    if needed.total > free:
        log.warning(
            "Only %.1f GB are free: use --gradient-checkpointing, --precision bf16, or a smaller --batch.",
            free / _GB,
        )
