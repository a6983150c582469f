"""FreeU as diffusers does it, which the authors' pictures were made with. Spec: fact_wplus.md B.2."""

from __future__ import annotations

from typing import Any

import torch

from ... import host


class _FreeU:
    """In the host's list of patches of output blocks: by the block's number, not by its width."""

    def __init__(self, factors: tuple[tuple[float, float], tuple[float, float]], blocks: int) -> None:
        self.factors, self.blocks = factors, blocks

    def __call__(
        self, h: torch.Tensor, skipped: torch.Tensor, options: dict[str, Any]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        place = int(options["block"][1]) // self.blocks
        if place >= len(self.factors):
            return h, skipped
        backbone, skip = self.factors[place]
        half = h.shape[1] // 2
        return torch.cat([h[:, :half] * backbone, h[:, half:]], 1), host.freeu.scale_low(skipped, skip)


def free_u(model: Any, b1: float, b2: float, s1: float, s2: float) -> Any:
    """A clone of MODEL with FreeU in the first up block (b1, s1) and the second (b2, s2) of its U-Net.

    b: on half of the channels that came up; s: on the lowest frequencies of those that were kept on the way
    down; 1 changes nothing. MODEL itself where all are 1. Raises ValueError for a MODEL without such blocks.
    """
    if (b1, b2, s1, s2) == (1.0, 1.0, 1.0, 1.0):
        return model
    network = model.model.diffusion_model
    levels = len(getattr(network, "channel_mult", ()) or ())
    blocks = len(getattr(network, "output_blocks", ()))
    if not levels or not blocks:
        raise ValueError("model has no U-Net: FreeU changes the up blocks of an SD1.5, SD2 or SDXL model.")
    model = model.clone()
    model.set_model_output_block_patch(_FreeU(((b1, s1), (b2, s2)), blocks // levels))
    return model
