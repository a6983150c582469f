"""What TransFace is shown of a photo: the head alone, upright, 112 x 112. Spec: fact_wplus.md A.6."""

from __future__ import annotations

import math
from typing import Any

import torch

from ...faces.labels import NAMES

#: Classes of the face parser that stand for the authors' parser's face, hair and human.
_FACE = tuple(NAMES.index(name) for name in NAMES[1:14] if name != "earring")
_HAIR = (NAMES.index("hair"),)


def head_mask(face: Any, hair: Any, human: Any) -> Any:
    """Which pixels are the head: uint8 [H, W] of 0 and 1, of numpy masks of the same kind.

    Hair and face, widened by a block of 1/20 of the face's side, within the human; the largest piece of that
    without its holes; and the face. All zeros where there is neither face nor hair within the human.
    """
    import cv2
    import numpy as np

    block = max(int(math.sqrt(int(face.sum())) / 20), 1)
    wide = cv2.dilate(np.clip(hair + face, 0, 1), np.ones((block, block), np.uint8)) * human
    outlines, _ = cv2.findContours(wide, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    head = np.zeros_like(face)
    if outlines:
        cv2.drawContours(head, [max(outlines, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return np.clip(head + face, 0, 1)


def masks_of(parsed: torch.Tensor) -> tuple[Any, Any, Any]:
    """Face, hair and human of a parsed picture int32 [H, W] (see faces/parsing.py), for `head_mask`.

    A stand-in for the authors' own parser, which finds people one by one.
    """
    import numpy as np

    def where(classes: tuple[int, ...]) -> Any:
        bits = sum(1 << number for number in classes)
        return ((parsed & bits) != 0).numpy().astype(np.uint8)

    return where(_FACE), where(_HAIR), (parsed != 0).numpy().astype(np.uint8)


def masked(pixels: Any, head: Any) -> Any:
    """A picture [H, W, 3] uint8, black outside of the head."""
    return pixels * head[..., None]
