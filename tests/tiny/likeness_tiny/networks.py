"""Tiny SD1.5, SDXL, Arc2Face, SD2 inpainting: every attention site of the real ones in its place, 32 wide."""

from __future__ import annotations

from typing import Any

import comfy.sd1_clip
import comfy.sdxl_clip
import comfy.supported_models
import comfy.supported_models_base
import comfy.text_encoders.sd2_clip
import comfy.utils
import torch

TEXT_WIDTH = 64
ARC2FACE_WIDTH = 512
CHANNELS = 32

SMALL_TEXT = {
    "hidden_size": TEXT_WIDTH,
    "intermediate_size": 2 * TEXT_WIDTH,
    "num_attention_heads": 4,
    "num_hidden_layers": 3,  # three, because SDXL reads the layer before the last
}

_SHARED: dict[str, Any] = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": CHANNELS,
    "use_spatial_transformer": True,
    "legacy": False,
    "use_temporal_attention": False,
}

UNETS: dict[str, dict[str, Any]] = {
    "sd15": {
        **_SHARED,
        "num_res_blocks": [2, 2, 2, 2],
        "channel_mult": [1, 1, 1, 1],
        "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
        "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
        "transformer_depth_middle": 1,
        "context_dim": TEXT_WIDTH,
        "use_linear_in_transformer": False,
        "adm_in_channels": None,
    },
    "sdxl": {
        **_SHARED,
        "num_res_blocks": [2, 2, 2],
        "channel_mult": [1, 1, 1],
        "transformer_depth": [0, 0, 2, 2, 10, 10],
        "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
        "transformer_depth_middle": 10,
        "context_dim": 2 * TEXT_WIDTH,
        "use_linear_in_transformer": True,
        "adm_in_channels": 1536 + TEXT_WIDTH,
        "num_classes": "sequential",
    },
}
UNETS["arc2face"] = {**UNETS["sd15"], "context_dim": ARC2FACE_WIDTH}
UNETS["sd2_inpaint"] = {**UNETS["sd15"], "in_channels": 9, "use_linear_in_transformer": True}
#: What tells a network apart in a state dict; heads cannot be seen there and are added.
_MARKS = (
    "context_dim",
    "model_channels",
    "transformer_depth",
    "use_linear_in_transformer",
    "adm_in_channels",
    "use_temporal_attention",
)
HEADS = {
    "sd15": {"num_heads": 4, "num_head_channels": -1},
    "sdxl": {"num_heads": -1, "num_head_channels": 16},
}
HEADS["arc2face"] = HEADS["sd15"]
HEADS["sd2_inpaint"] = {**HEADS["sdxl"], "attn_precision": torch.float32}


class TinySD1Clip(comfy.sd1_clip.SD1ClipModel):
    def __init__(self, device: Any = "cpu", dtype: Any = None, model_options: Any = None) -> None:
        options = {**(model_options or {}), "clip_l_model_config": SMALL_TEXT}
        super().__init__(device=device, dtype=dtype, model_options=options)


class TinySDXLClip(comfy.sdxl_clip.SDXLClipModel):
    def __init__(self, device: Any = "cpu", dtype: Any = None, model_options: Any = None) -> None:
        small = {"clip_l_model_config": SMALL_TEXT, "clip_g_model_config": SMALL_TEXT}
        super().__init__(device=device, dtype=dtype, model_options={**(model_options or {}), **small})


class TinySD15(comfy.supported_models.SD15):
    unet_config = {k: UNETS["sd15"][k] for k in _MARKS if k != "transformer_depth"}  # noqa: RUF012
    unet_extra_config = HEADS["sd15"]

    def clip_target(self, state_dict: Any = None) -> Any:
        return comfy.supported_models_base.ClipTarget(comfy.sd1_clip.SD1Tokenizer, TinySD1Clip)


class TinyArc2Face(TinySD15):
    unet_config = {**TinySD15.unet_config, "context_dim": ARC2FACE_WIDTH}  # noqa: RUF012


class TinySD2Clip(comfy.text_encoders.sd2_clip.SD2ClipModel):
    def __init__(self, device: Any = "cpu", dtype: Any = None, model_options: Any = None) -> None:
        options = {**(model_options or {}), "clip_h_model_config": SMALL_TEXT}
        super().__init__(device=device, dtype=dtype, model_options=options)


class TinySD2Inpaint(comfy.supported_models.SD20):
    unet_config = {k: UNETS["sd2_inpaint"][k] for k in _MARKS if k != "transformer_depth"}  # noqa: RUF012
    unet_extra_config = HEADS["sd2_inpaint"]

    def clip_target(self, state_dict: Any = None) -> Any:
        return comfy.supported_models_base.ClipTarget(comfy.text_encoders.sd2_clip.SD2Tokenizer, TinySD2Clip)

    def process_clip_state_dict(self, state_dict: Any) -> Any:
        # Our files keep the text encoders under the host's own names.
        return comfy.utils.state_dict_prefix_replace(state_dict, {"tinyclip.": ""}, filter_keys=True)


class TinySDXL(comfy.supported_models.SDXL):
    unet_config = {k: UNETS["sdxl"][k] for k in _MARKS}  # noqa: RUF012
    unet_extra_config = HEADS["sdxl"]

    def clip_target(self, state_dict: Any = None) -> Any:
        return comfy.supported_models_base.ClipTarget(comfy.sdxl_clip.SDXLTokenizer, TinySDXLClip)

    def process_clip_state_dict(self, state_dict: Any) -> Any:
        # Our files keep the text encoders under the host's own names.
        return comfy.utils.state_dict_prefix_replace(state_dict, {"tinyclip.": ""}, filter_keys=True)


CONFIGS: dict[str, Any] = {
    "sd15": TinySD15,
    "sdxl": TinySDXL,
    "arc2face": TinyArc2Face,
    "sd2_inpaint": TinySD2Inpaint,
}


def register() -> None:
    """Put the tiny networks before the host's own: detection takes the first that matches."""
    known = {config.__name__ for config in comfy.supported_models.models}
    new = [config for config in CONFIGS.values() if config.__name__ not in known]
    comfy.supported_models.models[:0] = new


def fill(module: Any, seed: int) -> Any:
    """Overwrite every weight: the host's layers are left uninitialised. Same seed, same weights."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if not weight.is_floating_point():
                continue
            if weight.ndim <= 1:
                weight.fill_(1.0 if name.endswith("weight") else 0.0)
            else:
                noise = torch.randn(weight.shape, generator=generator)
                weight.copy_(noise * weight[0].numel() ** -0.5)
    return module
