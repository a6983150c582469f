"""Small networks of the host's own classes, with weights made of their names.

Fewer layers than the tiny checkpoints have: a pair of the matrix costs several drawings, and there are
some thousand of them.
"""

from __future__ import annotations

from typing import Any

import torch

from ..fill import fill_state

NETWORKS = SDXL, ARC2FACE, SD2 = "SDXL", "Arc2Face", "SD2 inpainting"

_SHARED = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "num_res_blocks": [1, 1],
    "channel_mult": [1, 2],
    "use_spatial_transformer": True,
    "legacy": False,
    "transformer_depth_middle": 1,
    "num_heads": -1,
    "num_head_channels": 16,
    "use_linear_in_transformer": True,
    "adm_in_channels": None,
    "use_temporal_attention": False,
}
#: As in the real ones: SDXL has no attention on its finest level, SD1.5 on its coarsest only the middle's.
_SDXL = {"transformer_depth": [0, 1], "transformer_depth_output": [0, 0, 1, 1], "context_dim": 128}
#: A pooled prompt as wide as the real one: so many numbers of a picture the host's unCLIP gives SDXL.
POOLED = 1280
_SDXL |= {"adm_in_channels": 1536 + POOLED, "num_classes": "sequential"}
_ARC2FACE = {"transformer_depth": [1, 0], "transformer_depth_output": [1, 1, 0, 0], "context_dim": 512}
_ARC2FACE |= {"num_heads": 4, "num_head_channels": -1, "use_linear_in_transformer": False}
#: PVA's sixteen layers, in fewer blocks.
_SD2 = {"transformer_depth": [3, 3], "transformer_depth_output": [2, 2, 2, 3], "context_dim": 64}
_SD2 |= {"in_channels": 9}
#: The host's class and the network's shape.
_CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    SDXL: ("SDXL", {**_SHARED, **_SDXL}),
    ARC2FACE: ("SD15", {**_SHARED, **_ARC2FACE}),
    SD2: ("SD20", {**_SHARED, **_SD2}),
}


def context_of(network: str) -> int:
    """The width of its prompt's tokens."""
    return int(_CONFIGS[network][1]["context_dim"])


def model_of(network: str, prefix: str = "") -> Any:
    """A MODEL; another prefix gives other weights, as another checkpoint has."""
    import comfy.supported_models

    parent, config = _CONFIGS[network]
    kind = type("Small" + parent, (getattr(comfy.supported_models, parent),), {"unet_extra_config": {}})
    made = kind(dict(config))
    made.unet_config["dtype"], made.manual_cast_dtype = torch.float32, None
    whole = made.get_model({}, "")
    diffusion = whole.diffusion_model
    diffusion.load_state_dict(fill_state(diffusion.state_dict(), f"{network}.{prefix}"))
    diffusion.to(torch.float32)
    return _patcher(whole)


def control_net_of(network: str, prefix: str) -> Any:
    """A CONTROL_NET; another prefix gives other weights."""
    import comfy.cldm.cldm
    import comfy.controlnet
    import comfy.model_management
    import comfy.ops

    config = {**_CONFIGS[network][1], "in_channels": 4, "hint_channels": 3, "dtype": torch.float32}
    for name in ("out_channels", "transformer_depth_output", "use_temporal_attention"):
        config.pop(name)
    net = comfy.cldm.cldm.ControlNet(operations=comfy.ops.disable_weight_init, **config)
    net.load_state_dict(fill_state(net.state_dict(), f"{network}.{prefix}"))
    device = comfy.model_management.get_torch_device()
    return comfy.controlnet.ControlNet(net.eval(), load_device=device, manual_cast_dtype=None)


def gligen_of(network: str, model: Any, width: int) -> Any:
    """GLIGEN's layers, one for each transformer of a MODEL. width: of a prompt's pooled words."""
    from comfy.gligen import GatedSelfAttentionDense, Gligen, PositionNet
    from comfy.ldm.modules.attention import SpatialTransformer

    layers = model.model.diffusion_model.modules()
    widths = [layer.in_channels for layer in layers if isinstance(layer, SpatialTransformer)]
    gates = [GatedSelfAttentionDense(inside, width, 4, inside // 4) for inside in widths]
    made = Gligen(gates, PositionNet(width, width), width)
    made.load_state_dict(fill_state(made.state_dict(), f"{network}.gligen."))
    return _patcher(made)


def _patcher(module: torch.nn.Module) -> Any:
    """A module as the host hands it on."""
    import comfy.model_management
    import comfy.model_patcher

    device = comfy.model_management.get_torch_device()
    return comfy.model_patcher.ModelPatcher(
        module.eval(), load_device=device, offload_device=torch.device("cpu")
    )
