"""Masks of the classes of parsed pictures. Spec: pva_freecure_emojidiff.md B.2."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from .labels import BACKGROUND, class_names
from .masks import soften
from .policy import pictures

log = logging.getLogger(__name__)

#: FreeCure's own size of a mask: an eighth of SDXL's pictures, whatever their size.
FREECURE_SIZE = (128, 128)


def class_masks(
    parsed: torch.Tensor, classes: Sequence[int], grow: float = 0, feather: float = 0
) -> torch.Tensor:
    """Parsed pictures [B, H, W] int32 -> masks [B, H, W] float32, 1 where any of the classes is. On the CPU.

    grow: pixels outwards by the true distance, negative shrinks (the picture's border is no edge).
    feather: the edge fades over so many pixels each way. An empty mask is all zeros, and the log says so.
    """
    wanted = sum(1 << number for number in set(classes) if number != BACKGROUND)
    hard = (parsed & wanted) != 0
    if BACKGROUND in classes:
        hard |= parsed == 0
    masks = torch.stack([_grown(mask, grow) for mask in hard]).to(torch.float32)
    _report_empty(hard, masks, classes)
    return soften(masks, feather) if feather > 0 else masks


def _grown(mask: torch.Tensor, by: float) -> torch.Tensor:
    """A mask [H, W] bool moved outwards, in the same time however far: a kernel's grows with its square."""
    if by == 0 or not mask.any() or mask.all():
        return mask
    import cv2
    import numpy as np

    away = (~mask if by > 0 else mask).numpy().astype(np.uint8)
    distance = torch.from_numpy(cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))
    near = distance <= abs(by) + 1e-3
    return near if by > 0 else ~near


def _report_empty(hard: torch.Tensor, masks: torch.Tensor, classes: Sequence[int]) -> None:
    seen, left = hard.flatten(1).any(dim=1).tolist(), masks.flatten(1).any(dim=1).tolist()
    unseen = [place for place, there in enumerate(seen) if not there]
    if unseen:
        log.warning("No %s in %s: the mask is empty there.", class_names(classes), pictures(unseen))
    shrunk = [place for place, there in enumerate(seen) if there and not left[place]]
    if shrunk:
        log.warning("The mask of %s is empty: shrunk to nothing.", pictures(shrunk))


def freecure_mask(masks: torch.Tensor, size: tuple[int, int] = FREECURE_SIZE) -> torch.Tensor:
    """Masks [B, H, W] -> [B, *size] float32 of 0 and 1, made smaller as FreeCure's code does.

    Bilinear between pixel centres (no averaging), and only what is still wholly inside stays: with 0 and 255
    exactly 255. Soft masks count from one half on. size: (height, width); (128, 128) is the authors', for
    other pictures than 1024 x 1024 take an eighth of each side. Raises ValueError for another shape.
    """
    if masks.ndim != 3:
        raise ValueError(f"A mask for FreeCure must be [pictures, height, width], not {list(masks.shape)}.")
    outside = (masks < 0.5).to(torch.float32)
    # The part of the outside in a pixel is exactly 0 or not; that of the inside could round to 1.
    spilt = F.interpolate(outside[:, None], size, mode="bilinear", align_corners=False)
    return (spilt[:, 0] == 0).to(torch.float32)
