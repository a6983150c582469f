"""Says what a file is when it is not the adapter that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: (what the keys look like, what that is), first match wins.
_SIGNS: tuple[tuple[str, str], ...] = (
    ("local_fac_prj.", "a FaceChain-FACT adapter: load it with Load FACT"),
    ("controlnet_cond_embedding.", "a ControlNet in diffusers layout: load it with Load ControlNet Model"),
    ("control_model.", "a ControlNet: load it with Load ControlNet Model"),
    ("model.diffusion_model.", "a whole checkpoint: load it with Load Checkpoint"),
    ("conditioner.", "a whole checkpoint: load it with Load Checkpoint"),
    ("lora_unet_", "a LoRA: load it with Load LoRA"),
    ("unet.", "a LoRA: load it with Load LoRA"),
    ("down_blocks.", "a diffusers U-Net: load it with Load Diffusion Model"),
    ("input_blocks.", "a U-Net: load it with Load Diffusion Model"),
    ("id_encoder", "a MasterWeaver adapter: load it with Load MasterWeaver"),
    ("w_proj", "a W+ Adapter: load it with Load W+ Adapter"),
    ("FacialEncoder", "ConsistentID: load it with Load ConsistentID"),
    ("pulid", "a PuLID adapter"),
    ("id_adapter", "a PuLID adapter"),
    ("text_model.", "a text encoder: load it with Load CLIP"),
    ("first_stage_model.", "a VAE: load it with Load VAE"),
    ("decoder.", "a VAE: load it with Load VAE"),
)


def describe(content: Mapping[str, Any]) -> str:
    """A guess at what a file with these keys is."""
    keys = [str(key) for key in content]
    for sign, what in _SIGNS:
        if any(key.startswith(sign) for key in keys):
            return what
    shown = ", ".join(keys[:3]) or "nothing"
    return f"something else (its first keys: {shown})"
