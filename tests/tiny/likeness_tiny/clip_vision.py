"""A tiny CLIP vision model, and what makes the host's own loader take it."""

from __future__ import annotations

from typing import Any

import comfy.clip_vision
import torch

#: A CLIP of the host's own classes: 16 patches and a class, seen by three layers.
CONFIG: dict[str, Any] = {
    "model_type": "clip_vision_model",
    "hidden_act": "gelu",
    "hidden_size": 48,
    "image_size": 224,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_channels": 3,
    "num_hidden_layers": 3,
    "patch_size": 56,
    "projection_dim": 32,
}
WIDTH: int = CONFIG["hidden_size"]
_CLASS = "vision_model.embeddings.class_embedding"


def register() -> None:
    """The host tells CLIPs apart by their number of layers, in its code; ours is known by its width."""
    own = comfy.clip_vision.load_clipvision_from_sd
    if getattr(own, "tiny", False):
        return

    def load(sd: dict[str, Any], prefix: str = "", convert_keys: bool = False) -> Any:
        if tuple(sd[_CLASS].shape) != (WIDTH,) if _CLASS in sd else True:
            return own(sd, prefix, convert_keys)
        clip = comfy.clip_vision.ClipVisionModel(CONFIG)
        clip.load_sd(sd)
        return clip

    load.tiny = True  # type: ignore[attr-defined]
    comfy.clip_vision.load_clipvision_from_sd = load


def weights(seed: int) -> dict[str, torch.Tensor]:
    from .networks import fill

    model = fill(comfy.clip_vision.ClipVisionModel(CONFIG).model.float(), seed)
    tensors: dict[str, torch.Tensor] = model.state_dict()
    generator = torch.Generator().manual_seed(seed + 1)
    tensors[_CLASS] = torch.randn(WIDTH, generator=generator) * WIDTH**-0.5
    return tensors
