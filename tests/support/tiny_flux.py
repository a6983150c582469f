"""A tiny real Flux in the host: two double and two single blocks, weights by name."""

from __future__ import annotations

from typing import Any

import torch

from .fill import fill_state

CONTEXT, POOLED, HEADS = 24, 12, 2
AXES = [4, 6, 6]
CONFIG: dict[str, Any] = {
    "image_model": "flux",
    "in_channels": 16,
    "out_channels": 16,
    "patch_size": 2,
    "vec_in_dim": POOLED,
    "context_in_dim": CONTEXT,
    "hidden_size": HEADS * sum(AXES),
    "mlp_ratio": 2.0,
    "num_heads": HEADS,
    "depth": 2,
    "depth_single_blocks": 2,
    "axes_dim": AXES,
    "theta": 10000,
    "qkv_bias": True,
    "guidance_embed": True,
    "txt_ids_dims": [],
}


def flux_model(dtype: torch.dtype = torch.float32, **changes: Any) -> Any:
    """A MODEL; `changes` alter its network's configuration."""
    import comfy.model_management
    import comfy.model_patcher
    import comfy.supported_models

    config = comfy.supported_models.Flux({**CONFIG, **changes, "dtype": torch.float32})
    config.manual_cast_dtype = None
    network = config.get_model({}, "")
    diffusion = network.diffusion_model
    diffusion.load_state_dict(fill_state(diffusion.state_dict(), "flux."))
    diffusion.to(dtype).dtype = dtype
    device = comfy.model_management.get_torch_device()
    return comfy.model_patcher.ModelPatcher(
        network.eval(), load_device=device, offload_device=torch.device("cpu")
    )


def flux_prompt(seed: int, tokens: int = 5, **facts: Any) -> list[Any]:
    """A CONDITIONING of random text tokens."""
    generator = torch.Generator().manual_seed(seed)
    text = torch.randn(1, tokens, CONTEXT, generator=generator)
    return [[text, {"pooled_output": torch.randn(1, POOLED, generator=generator), **facts}]]
