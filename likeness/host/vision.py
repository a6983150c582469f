"""Vision models, as the host loads them: CLIP_VISION."""

from __future__ import annotations

from typing import Any

import comfy.model_management as model_management
import torch


def vision_facts(clip_vision: Any) -> tuple[str, int, tuple[float, ...], tuple[float, ...]]:
    """(kind, side of its pictures in pixels, mean and deviation of each channel) of a CLIP_VISION."""
    mean, deviation = (
        tuple(float(v) for v in each) for each in (clip_vision.image_mean, clip_vision.image_std)
    )
    return str(clip_vision.model_type), int(clip_vision.image_size), mean, deviation


@torch.no_grad()
def vision_states(clip_vision: Any, pixels: torch.Tensor) -> torch.Tensor:
    """The states before the last layer [n, L, D] of normalised pixels [n, 3, S, S]; float32 on the CPU.

    Not by encode_image, which makes its pixels itself: it could not be shown zeros.
    """
    model_management.load_model_gpu(clip_vision.patcher)
    seen = pixels.to(clip_vision.load_device, torch.float32)
    states = clip_vision.model(pixel_values=seen, intermediate_output=-2)[1]
    return states.to("cpu", torch.float32)
