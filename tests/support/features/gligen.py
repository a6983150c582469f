"""A tiny GLIGEN: what a network needs to put words into boxes."""

from __future__ import annotations

from typing import Any

import torch

from ..fill import fill_state
from .run import Run
from .world import World

#: The width of its tokens in the host's loader, and of the tiny text encoder's.
WIDE, TEXT = 768, 64


def gligen(world: World, run: Run) -> Any:
    """Loaded by the host from a file's content, one layer for each attention layer of the network."""
    import comfy.gligen
    import comfy.model_patcher

    content: dict[str, torch.Tensor] = {}
    for number, site in enumerate(sorted(world.sites(run.network), key=lambda site: site.key[0] == "output")):
        fuser = comfy.gligen.GatedSelfAttentionDense(site.hidden, WIDE, 8, site.hidden // 8)
        state = fill_state(fuser.state_dict(), f"gligen.{number}.")
        state |= {"alpha_attn": torch.tensor(0.8), "alpha_dense": torch.tensor(0.8)}
        # The host reads the layers in the order of these names.
        content |= {f"input_blocks.{number}.fuser.{key}": value for key, value in state.items()}
    position = fill_state(comfy.gligen.PositionNet(TEXT, WIDE).state_dict(), "gligen.")
    content |= {f"position_net.{key}": value for key, value in position.items()}
    cpu = torch.device("cpu")
    return comfy.model_patcher.ModelPatcher(comfy.gligen.load_gligen(content), cpu, cpu)
