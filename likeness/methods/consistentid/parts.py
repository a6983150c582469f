"""Pictures of the parts of a face, as ConsistentID sees them. Spec: consistentid_masterweaver.md 1.5."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch

from ...choices.consistentid import EARS, EYES, FACE, MOUTH, NOSE

#: The parser's labels of each part, in the order of the pictures; of a pair the first that is seen.
LABELS: Mapping[str, tuple[int, ...]] = {
    FACE: (1,),
    EYES: (4, 5),
    EARS: (7, 8),
    NOSE: (10,),
    MOUTH: (12, 13),
}


def part_pictures(picture: Any, labels: torch.Tensor, wanted: Collection[str]) -> dict[str, Any]:
    """The parts that are seen, each in the picture [H, W, 3] uint8 with all else black, by name.

    labels [S, S] uint8: the parser's answer for the picture squeezed to a square.
    """
    found = {}
    for name, numbers in LABELS.items():
        seen = next((labels == number for number in numbers if bool((labels == number).any())), None)
        if name in wanted and seen is not None:
            found[name] = _shown(picture, seen)
    return found


def _shown(picture: Any, mask: torch.Tensor) -> Any:
    """What of a picture a mask [S, S] shows: its outlines filled (a face has its eyes), soft at the edge."""
    import cv2
    import numpy as np
    from PIL import Image

    hard = mask.to(torch.uint8).numpy()
    outlines, _ = cv2.findContours(hard, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    whole = np.zeros_like(hard)
    cv2.drawContours(whole, outlines, -1, 255, cv2.FILLED)
    height, width = picture.shape[:2]
    soft = Image.fromarray(whole).resize((width, height), Image.Resampling.BICUBIC)
    shown = Image.fromarray(picture)
    return np.asarray(Image.composite(shown, Image.new("RGB", shown.size), soft)).copy()
