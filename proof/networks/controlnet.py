"""ControlNets in the drawn world: the host's own, begun as the first half of a trunk and shown five points.

InstantID's looks at who it is instead of the prompt, Arc2Face's at the face that is the prompt. As of a
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
#: What of Arc2Face's need not learn: it looks at the same words as its trunk.
_FIXED = (".attn2.to_k.", ".attn2.to_v.", ".ff.")


def net(kind: str, seed: int, trunk: Tensors, fixed: tuple[str, ...] = ()) -> Any:
    """The host's own ControlNet for a network of layouts.UNETS; it begins as changing nothing. fixed: parts
    of names that stay as the trunk's."""
    use_host()
    import comfy.cldm.cldm
    import comfy.ops

    config = {**layouts.UNETS[kind], **layouts.LIVE.get(kind, {}), **layouts.HEADS}
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
            by_chance = name.startswith(_HINT) and not name.startswith(_LEARNT_HINT)
            parameter.requires_grad_(not by_chance and not any(part in name for part in fixed))
    return made


def of_arc2face(trunk: Tensors) -> Any:
    """Its stage keeps only what learns: the rest is made again, from the trunk and by the same chance."""
    return net("arc2face", 0, trunk, _FIXED)


def hints(points: list[NDArray[np.float32]], side: int) -> torch.Tensor:
    """[n, 3, side, side] 0..1: five points of one face each, [5, 2] in pixels."""
    drawn = np.stack([draw_kps(side, side, [torch.from_numpy(five)]) for five in points])
    return torch.from_numpy(drawn).permute(0, 3, 1, 2).float() / 255


def whole(kind: str, learnt: Tensors, network: nn.Module) -> Tensors:
    """The file: all of it, with the depth of the real one."""
    tensors = {name: p.detach().clone() for name, p in network.named_parameters()}
    return layouts.deepened(kind, {**tensors, **learnt})
