"""What adapters that look through CLIP are shown, as their authors prepared it.

The preprocessing of transformers, from which the host's differs by roundings, and the zero picture that
stands for nobody. Spec: adapters.md 5.2, consistentid_masterweaver.md 1.5 (5).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import torch

from .. import host

#: CLIP vision models by the width of their states.
VISION: Mapping[int, str] = {
    1280: "CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors (ViT-H)",
    1664: "CLIP-ViT-bigG-14-laion2B-39B-b160k.safetensors (ViT-bigG)",
    1024: "clip-vit-large-patch14 (ViT-L)",
}
#: Side of a CLIP's picture in pixels.
SIDE = 224
#: Pictures that go through CLIP at once.
_BATCH = 16
_zero_states: WeakKeyDictionary[Any, torch.Tensor] = WeakKeyDictionary()


def clip_picture(pixels: Any, side: int = SIDE) -> Any:
    """A picture [H, W, 3] uint8 as CLIP sees it, [side, side, 3] uint8: short side to `side`, middle cut out.

    Bicubic in 8 bits; the long side is cut to whole pixels, as transformers does. numpy arrays.
    """
    import numpy as np
    from PIL import Image

    height, width = pixels.shape[:2]
    short = min(height, width)
    size = int(side * width / short), int(side * height / short)
    small = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    return small[top : top + side, left : left + side].copy()


def zero_state(clip_vision: Any, wanted: int, name: str) -> torch.Tensor:
    """The state [1, L, D] of the zero picture (zeros after normalisation): nobody. Run once per CLIP_VISION.

    wanted: the width D that the adapter `name` takes. Raises ValueError naming both for another vision model.
    """
    kind, side, _, _ = host.vision.vision_facts(clip_vision)
    if kind != "clip_vision_model" or side != SIDE:
        what = f"is {kind}, no CLIP" if kind != "clip_vision_model" else f"looks at {side} pixels, not {SIDE}"
        raise ValueError(f"clip_vision {what}. {_advice(wanted, name)}")
    if clip_vision not in _zero_states:
        _zero_states[clip_vision] = host.vision.vision_states(clip_vision, torch.zeros(1, 3, side, side))
    state = _zero_states[clip_vision]
    if state.shape[-1] != wanted:
        found = VISION.get(state.shape[-1], "another model")
        raise ValueError(
            f"clip_vision gives features of width {state.shape[-1]} ({found}); {name} takes {wanted}. "
            f"{_advice(wanted, name)}"
        )
    return state


def _advice(wanted: int, name: str) -> str:
    return f"Load {VISION.get(wanted, f'the one {name} was trained with')} in Load CLIP Vision."


def picture_states(clip_vision: Any, pictures: torch.Tensor) -> torch.Tensor:
    """The states [n, L, D] float32 of pictures [n, 224, 224, 3] uint8, from `clip_picture`."""
    _, _, mean, deviation = host.vision.vision_facts(clip_vision)
    parts = []
    for part in pictures.split(_BATCH):
        pixels = (part.to(torch.float32) / 255.0 - torch.tensor(mean)) / torch.tensor(deviation)
        parts.append(host.vision.vision_states(clip_vision, pixels.movedim(-1, 1)))
    return torch.cat(parts)
