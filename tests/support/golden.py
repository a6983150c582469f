"""The authors' outputs in tests/data, and real host objects with the weights they were made with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from .fill import fill_state

DATA = Path(__file__).resolve().parents[1] / "data"


class Golden:
    """One golden file: tensors by name, metadata decoded, MODEL and CONTROL_NET built from it."""

    def __init__(self, name: str) -> None:
        from safetensors import safe_open

        with safe_open(str(DATA / f"{name}.safetensors"), "pt") as file:
            self.tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            raw = file.metadata()
        self.meta: dict[str, Any] = {k: json.loads(v) if v[:1] in "[{" else v for k, v in raw.items()}

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.tensors[name]

    def model(self, base: str = "SDXL", dtype: torch.dtype = torch.float32, **changes: Any) -> Any:
        """A MODEL of this file's network; `changes` alter its configuration.

        In float64 the order of a matrix product no longer shows, so that equal means equal.
        """
        import comfy.model_management
        import comfy.model_patcher
        import comfy.supported_models

        parent = getattr(comfy.supported_models, base)
        config = type("Tiny" + base, (parent,), {"unet_extra_config": {}})(
            {**self.meta["unet_config"], **changes}
        )
        config.unet_config["dtype"] = torch.float32
        config.manual_cast_dtype = None
        network = config.get_model({}, "")
        diffusion = network.diffusion_model
        diffusion.load_state_dict(fill_state(diffusion.state_dict(), "unet."))
        diffusion.to(dtype).dtype = dtype
        device = comfy.model_management.get_torch_device()
        return comfy.model_patcher.ModelPatcher(
            network.eval(), load_device=device, offload_device=torch.device("cpu")
        )

    def control_net(self, prefix: str = "controlnet.", **changes: Any) -> Any:
        """A CONTROL_NET that fits the network; another prefix gives other weights."""
        import comfy.cldm.cldm
        import comfy.controlnet
        import comfy.model_management
        import comfy.ops

        config = {**self.meta["unet_config"], **changes}
        config.pop("out_channels")
        config |= {"hint_channels": 3, "dtype": torch.float32, "device": "cpu"}
        net = comfy.cldm.cldm.ControlNet(operations=comfy.ops.disable_weight_init, **config)
        net.load_state_dict(fill_state(net.state_dict(), prefix))
        device = comfy.model_management.get_torch_device()
        return comfy.controlnet.ControlNet(net.eval(), load_device=device, manual_cast_dtype=None)

    def conditioning(self, side: str, **facts: Any) -> list[Any]:
        """`positive` or `negative`, with SDXL's sizes."""
        height, width = self.meta["image_size"]
        sizes = {"width": width, "height": height, "target_width": width, "target_height": height}
        pooled = self[f"in.pooled_{side}"]
        return [[self[f"in.{side}"], {"pooled_output": pooled, "crop_w": 0, "crop_h": 0, **sizes, **facts}]]


def relative_error(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """L2 norm of the difference over the norm of what is wanted."""
    return float((found - wanted).norm() / wanted.norm())
