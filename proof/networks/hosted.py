"""What makes the host's loaders take the drawn world's files, and a whole checkpoint for them.

As the tiny networks of the tests, these are told apart by their widths: here the text is 128 wide.
"""

from __future__ import annotations

from typing import Any

import torch

from ..host import use_host
from . import arc2face, autoencoder, layouts, text, vision
from .sparing import sparing

Tensors = dict[str, torch.Tensor]

_MARKS = (
    *("context_dim", "model_channels", "use_linear_in_transformer", "adm_in_channels"),
    "use_temporal_attention",
)


def register() -> None:
    """Put the drawn world's networks before the host's own: detection takes the first that matches."""
    use_host()
    import comfy.ops
    import comfy.sd1_clip
    import comfy.sdxl_clip
    import comfy.supported_models
    import comfy.supported_models_base
    import comfy.text_encoders.sd2_clip
    import comfy.utils

    models = comfy.supported_models
    target = comfy.supported_models_base.ClipTarget
    layers = sparing(layouts.grouped(comfy.ops.manual_cast))

    def small(options: Any, *letters: str) -> dict[str, Any]:
        return {**(options or {}), **{f"clip_{letter}_model_config": text.CONFIG for letter in letters}}

    def own_names(state_dict: Any) -> Any:
        return comfy.utils.state_dict_prefix_replace(state_dict, {_TEXT: ""}, filter_keys=True)

    class DrawnSD1Clip(comfy.sd1_clip.SD1ClipModel):  # type: ignore[misc, name-defined, unused-ignore]
        def __init__(self, device: Any = "cpu", dtype: Any = None, model_options: Any = None) -> None:
            super().__init__(device=device, dtype=dtype, model_options=small(model_options, "l"))

    class DrawnSDXLClip(comfy.sdxl_clip.SDXLClipModel):  # type: ignore[misc, name-defined, unused-ignore]
        def __init__(self, device: Any = "cpu", dtype: Any = None, model_options: Any = None) -> None:
            super().__init__(device=device, dtype=dtype, model_options=small(model_options, "l", "g"))

    class DrawnSD2Clip(comfy.text_encoders.sd2_clip.SD2ClipModel):  # type: ignore[misc, name-defined, unused-ignore]
        def __init__(self, device: Any = "cpu", dtype: Any = None, model_options: Any = None) -> None:
            super().__init__(device=device, dtype=dtype, model_options=small(model_options, "h"))

    class DrawnSD15(models.SD15):  # type: ignore[misc, name-defined, unused-ignore]
        unet_config = {name: layouts.UNETS["sd15"][name] for name in _MARKS}  # noqa: RUF012
        unet_extra_config = layouts.HEADS
        custom_operations = layers

        def clip_target(self, state_dict: Any = None) -> Any:
            return target(comfy.sd1_clip.SD1Tokenizer, DrawnSD1Clip)

    class DrawnArc2Face(DrawnSD15):
        unet_config = {**DrawnSD15.unet_config, "context_dim": arc2face.WIDTH}  # noqa: RUF012

    class DrawnSDXL(models.SDXL):  # type: ignore[misc, name-defined, unused-ignore]
        unet_config = {name: layouts.UNETS["sdxl"][name] for name in _MARKS}  # noqa: RUF012
        unet_extra_config = layouts.HEADS
        custom_operations = layers

        def clip_target(self, state_dict: Any = None) -> Any:
            return target(comfy.sdxl_clip.SDXLTokenizer, DrawnSDXLClip)

        def process_clip_state_dict(self, state_dict: Any) -> Any:
            return own_names(state_dict)

    class DrawnSD2Inpaint(models.SD20):  # type: ignore[misc, name-defined, unused-ignore]
        unet_config = {name: layouts.UNETS["sd2_inpaint"][name] for name in _MARKS}  # noqa: RUF012
        unet_extra_config = {**layouts.HEADS, "attn_precision": torch.float32}  # noqa: RUF012
        custom_operations = layers

        def clip_target(self, state_dict: Any = None) -> Any:
            return target(comfy.text_encoders.sd2_clip.SD2Tokenizer, DrawnSD2Clip)

        def process_clip_state_dict(self, state_dict: Any) -> Any:
            return own_names(state_dict)

    known = {config.__name__ for config in models.models}
    drawn: list[Any] = [DrawnSD15, DrawnArc2Face, DrawnSDXL, DrawnSD2Inpaint]
    models.models[:0] = [config for config in drawn if config.__name__ not in known]
    vision.register()


#: Before the names of text encoders in files whose published names would need another layout of the weights.
_TEXT = "drawnclip."
_ENCODERS = {
    "sd15": ("cond_stage_model.",),
    "sdxl": (f"{_TEXT}clip_l.", f"{_TEXT}clip_g."),
    "sd2_inpaint": (f"{_TEXT}clip_h.",),
}
#: Of latents in each family's files.
SCALES = {"sd15": 0.18215, "sd2_inpaint": 0.18215, "sdxl": 0.13025}


def checkpoint(kind: str, network: Tensors, coder: Tensors) -> Tensors:
    """A whole checkpoint for the host's loader node, from the stages' results."""
    made = {
        f"model.diffusion_model.{name}": tensor for name, tensor in layouts.deepened(kind, network).items()
    }
    # The host keeps text encoders in half precision anyway.
    words = {name: tensor.half() for name, tensor in text.tensors(layouts.known_words()).items()}
    for prefix in _ENCODERS[kind]:
        made |= {f"{prefix}transformer.{name}": tensor.clone() for name, tensor in words.items()}
    return made | {
        f"first_stage_model.{name}": t for name, t in autoencoder.padded(coder, SCALES[kind]).items()
    }
