"""ConsistentID's goldens: adapter, CLIP and CLIP vision model with the weights they were made with."""

from __future__ import annotations

from typing import Any

import torch

from .fill import fill
from .golden import Golden

SECTIONS = ("image_proj", "FacialEncoder", "adapter_modules")
#: What the parser found, as the golden calls it, and the part it is.
PARTS = {
    "Face": "face",
    "Left_Eye": "eyes",
    "Right_Eye": "eyes",
    "Left_Ear": "ears",
    "Right_Ear": "ears",
    "Nose": "nose",
    "Upper_Lip": "mouth",
    "Lower_Lip": "mouth",
}


class ConsistentGolden(Golden):
    """base: sd15 or sdxl."""

    def __init__(self, base: str) -> None:
        super().__init__(f"consistentid_{base}")
        self.base = base
        self.words: dict[str, Any] = self.meta["words"]

    def content(self) -> dict[str, Any]:
        """An adapter file, nested as published."""
        layout = self.meta["layout"]
        parts = {
            section: {
                key: fill(f"consistentid.{section}.{key}", shape) for key, shape in layout[section].items()
            }
            for section in SECTIONS
        }
        return {
            f"{name}_model" if name + self.base == "image_projsdxl" else name: t for name, t in parts.items()
        }

    def states(self, words: str | None = None) -> torch.Tensor:
        """CLIP's states: of the zero picture, the whole photo, the parts."""
        parts = self["in.part_states"]
        if words is not None and f"in.words.{words}.part_states" in self.tensors:
            parts = self[f"in.words.{words}.part_states"]
        elif words is not None and not self.words[words]["parts_found"]:
            parts = parts[:0]
        return torch.cat([self["in.zero_state"], self["in.image_state"], parts])

    def parts(self, words: str = "all") -> list[str]:
        """The parts seen, in the order of the pictures."""
        return [PARTS[name] for name in self.words[words]["picture_order"]]

    def clip(self) -> Any:
        """A CLIP of the host's own classes, in float32."""
        import comfy.sd
        import comfy.sd1_clip
        import comfy.sdxl_clip
        from comfy.supported_models_base import ClipTarget

        sizes = {key: dict(config) for key, config in self.meta["text_encoders"].items()}
        prefixes = {key: config.pop("key") for key, config in sizes.items()}
        kinds = comfy.sdxl_clip if self.base == "sdxl" else comfy.sd1_clip
        name = "SDXL" if self.base == "sdxl" else "SD1"
        target = ClipTarget(getattr(kinds, f"{name}Tokenizer"), getattr(kinds, f"{name}ClipModel"))
        options = {f"clip_{key}_model_config": config for key, config in sizes.items()}
        clip = comfy.sd.CLIP(target, model_options={"dtype": torch.float32, **options}, parameters=1)
        for key, prefix in prefixes.items():
            network = getattr(clip.cond_stage_model, f"clip_{key}").transformer
            state = network.state_dict()
            # In SD1.5 and in CLIP-L of SDXL nothing is projected.
            network.load_state_dict({k: _filled(prefix, k, v) for k, v in state.items()})
        return clip

    def clip_vision(self) -> Any:
        """A CLIP_VISION of the host's own class. The host makes it in half precision: float32 here."""
        from comfy.clip_vision import ClipVisionModel

        config = {"model_type": "clip_vision_model", "num_channels": 3, "layer_norm_eps": 1e-5}
        made = ClipVisionModel({**config, **self.meta["image_encoder"]})
        made.model.float()
        state = made.model.state_dict()
        made.model.load_state_dict({k: fill(f"image_encoder.{k}", v.shape) for k, v in state.items()})
        return made

    def sizes(self) -> dict[str, int]:
        """The sizes that SDXL is told."""
        if self.base != "sdxl":
            return {}
        height, width = self.meta["image_size"]
        return {"width": width, "height": height, "target_width": width, "target_height": height} | {
            "crop_w": 0,
            "crop_h": 0,
        }


def _filled(prefix: str, key: str, value: torch.Tensor) -> torch.Tensor:
    return fill(prefix + key, value.shape) if value.is_floating_point() else value
