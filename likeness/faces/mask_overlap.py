"""How much of each face lies in a mask."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..values import Face, Faces


@dataclass(frozen=True)
class Overlap:
    """pixels of the mask in a face's box, and the part of the box that they are.

    counts: whether the face is meant by the mask: the middle of its box lies in it, or half of the box.
    """

    pixels: float
    share: float
    counts: bool


def mask_overlaps(faces: Faces, mask: torch.Tensor) -> list[list[Overlap]]:
    """The overlap of each face with a MASK [B, H, W], or [1, H, W] or [H, W] for all pictures, 0..1.

    Only the part of a box inside its picture is looked at. The mask may be one of the batch that was
    searched, when pictures have been skipped since. Raises ValueError for another size or number.
    """
    if not faces.faces:
        return []
    masks = _masks(faces, mask)
    return [[_overlap(face, own) for face in found] for own, found in zip(masks, faces.faces, strict=True)]


def _masks(faces: Faces, mask: torch.Tensor) -> torch.Tensor:
    masks = mask[None] if mask.ndim == 2 else mask
    width, height = faces.size
    if masks.ndim != 3 or tuple(masks.shape[1:]) != (height, width):
        raise ValueError(
            f"The mask is {list(mask.shape)}, but the faces were found in pictures {width} wide and {height} "
            f"high: it must be [1, {height}, {width}], or one mask for each picture. (Load Image gives an "
            "empty mask of 64 x 64 for a picture without transparency.)"
        )
    masks = masks.to("cpu", torch.float32)
    if not torch.isfinite(masks).all():
        raise ValueError("The mask holds NaN or infinity.")
    if len(masks) == 1:
        return masks.expand(len(faces.faces), -1, -1)
    if len(masks) == len(faces.faces):
        return masks
    if max(faces.indices) < len(masks):
        return masks[list(faces.indices)]  # of the batch from which pictures were skipped
    raise ValueError(
        f"There are {len(masks)} masks for {len(faces.faces)} pictures: give one, or one for each."
    )


def _overlap(face: Face, mask: torch.Tensor) -> Overlap:
    height, width = mask.shape
    x1, y1, x2, y2 = face.box.tolist()
    part = mask[max(0, round(y1)) : max(0, round(y2)), max(0, round(x1)) : max(0, round(x2))]
    if part.numel() == 0:
        return Overlap(0.0, 0.0, False)
    x, y = int((x1 + x2) / 2), int((y1 + y2) / 2)
    middle = 0 <= x < width and 0 <= y < height and float(mask[y, x]) >= 0.5
    share = float(part.mean())
    return Overlap(float(part.sum()), share, middle or share >= 0.5)
