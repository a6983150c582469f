"""The MODEL that sampling is measured on: SDXL's layers, all 70 of them, at a part of its width."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

from likeness.attention.sites import attention_sites
from likeness.methods import instantid
from likeness.values import Identity

#: A fifth of SDXL's widths (640 and 1280 there); its heads of 64, its prompt tokens of 2048.
PROPORTIONED = {"model_channels": 64, "channel_mult": [1, 2, 4], "context_dim": 2048, "adm_in_channels": 2816}


def room(narrow: bool = False) -> SimpleNamespace:
    """A MODEL, its sites, an adapter, an identity, a prompt, and a maker of its ControlNet.

    narrow: the network of the tests, 32 wide with heads of 16, instead of PROPORTIONED.
    """
    import comfy.model_management
    import comfy.model_patcher
    import comfy.supported_models
    from likeness_tiny import networks
    from support import instantid_files

    shape = {**networks.UNETS["sdxl"], **({} if narrow else PROPORTIONED)}
    make = networks.CONFIGS["sdxl"] if narrow else comfy.supported_models.SDXL
    config = make(dict(shape))
    config.set_inference_dtype(torch.float32, None)
    base = config.get_model({}, "")
    networks.fill(base.diffusion_model, 0)
    cpu = torch.device("cpu")
    model = comfy.model_patcher.ModelPatcher(base, load_device=cpu, offload_device=cpu)
    comfy.model_management.load_models_gpu([model])
    sites = attention_sites(base.diffusion_model)
    width = shape["context_dim"]
    content = instantid_files.adapter((site.hidden for site in sites), width)
    generator = torch.Generator().manual_seed(0)
    pooled = torch.zeros(1, shape["adm_in_channels"] - 1536)
    return SimpleNamespace(
        model=model,
        sites=sites,
        adapter=instantid.parse(content, {}, "tiny"),
        identity=Identity(torch.randn(1, 512, generator=generator), "glintr100"),
        prompt=[[torch.randn(1, 77, width, generator=generator), {"pooled_output": pooled}]],
        control=lambda: _control({**shape, **make.unet_extra_config}),
    )


def _control(config: dict[str, Any]) -> Any:
    import comfy.cldm.cldm
    import comfy.controlnet
    import comfy.ops
    from likeness_tiny import networks

    left_out = ("out_channels", "transformer_depth_output", "use_temporal_attention")
    config = {name: value for name, value in config.items() if name not in left_out}
    operations = comfy.ops.disable_weight_init
    net = comfy.cldm.cldm.ControlNet(hint_channels=3, dtype=torch.float32, operations=operations, **config)
    networks.fill(net, 3)
    return comfy.controlnet.ControlNet(net.eval(), load_device=torch.device("cpu"), manual_cast_dtype=None)
