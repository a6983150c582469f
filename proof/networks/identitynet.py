"""IdentityNet in the drawn world: the host's ControlNet, begun as the SDXL-shaped trunk's first half.

It is shown the five points as our node draws them, and looks at who it is instead of the prompt. As of the
trunk, only what is alive of SDXL's depth learns. The hint's first layers stay as chance made them: to learn
they would cost as much as half a network, and coloured dots are told apart by any.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from likeness.faces.keypoints import draw_kps

from ..host import use_host
from . import layouts
from .start import start

Tensors = dict[str, torch.Tensor]

_HINT = "input_hint_block."
#: Layers of the hint that learn: the last two, at a quarter and an eighth of the size.
_LEARNT_HINT = ("input_hint_block.12.", "input_hint_block.14.")


def net(seed: int, trunk: Tensors) -> Any:
    """The host's own ControlNet; it begins as changing nothing."""
    use_host()
    import comfy.cldm.cldm
    import comfy.ops

    config = {**layouts.UNETS["sdxl"], **layouts.LIVE["sdxl"], **layouts.HEADS}
    for name in ("out_channels", "transformer_depth_output", "use_temporal_attention"):
        config.pop(name)
    operations = comfy.ops.disable_weight_init
    made = comfy.cldm.cldm.ControlNet(hint_channels=3, dtype=torch.float32, operations=operations, **config)
    start(made, seed)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name in trunk:
                parameter.copy_(trunk[name])
            elif not name.startswith(_HINT) or name.startswith(_LEARNT_HINT[1]):
                parameter.zero_()
            fixed = name.startswith(_HINT) and not name.startswith(_LEARNT_HINT)
            parameter.requires_grad_(not fixed)
    return made


def hints(points: list[NDArray[np.float32]], side: int) -> torch.Tensor:
    """[n, 3, side, side] 0..1: five points of one face each, [5, 2] in pixels."""
    drawn = np.stack([draw_kps(side, side, [torch.from_numpy(five)]) for five in points])
    return torch.from_numpy(drawn).permute(0, 3, 1, 2).float() / 255


def whole(learnt: Tensors, network: nn.Module) -> Tensors:
    """The file: all of it, with the depth of SDXL."""
    tensors = {name: p.detach().clone() for name, p in network.named_parameters()}
    return layouts.deepened("sdxl", {**tensors, **learnt})
