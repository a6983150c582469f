"""Faces in the position of the FFHQ and CelebA-HQ pictures: a square with head and shoulders, eyes level.

The square follows from eyes and mouth as in the FFHQ paper (Karras et al. 2019, appendix C).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F


def square(keypoints: torch.Tensor) -> torch.Tensor:
    """The square around a face with keypoints [5, 2] (insightface order), in pixels of its picture.

    [3, 2]: its top left corner, the way from there to the top right one, the way down to the bottom left
    one. Raises ValueError when eyes and mouth lie in one place.
    """
    left, right, _, mouth_left, mouth_right = keypoints.to("cpu", torch.float32)
    eyes, mouth = (left + right) / 2, (mouth_left + mouth_right) / 2
    across, down = right - left, mouth - eyes
    direction = across - torch.stack([-down[1], down[0]])
    if float(direction.norm()) < 1e-3:
        raise ValueError("A face's five points all lie in one place: it can't be aligned.")
    half = direction / direction.norm() * max(2.0 * float(across.norm()), 1.8 * float(down.norm()))
    turned = torch.stack([-half[1], half[0]])
    centre = eyes + 0.1 * down
    return torch.stack([centre - half - turned, 2 * half, 2 * turned])


def align_ffhq(picture: torch.Tensor, keypoints: torch.Tensor, size: int = 512) -> torch.Tensor:
    """A face of a picture [H, W, 3] (0 to 1), in FFHQ's position: [size, size, 3] float32 on the CPU.

    Smoothed when it shrinks; mirrored where the square leaves the picture.
    """
    corner, across, down = square(keypoints)
    planes = picture.to("cpu", torch.float32).movedim(-1, 0)[None]
    shrink = min(1.0, size / float(across.norm()))
    if shrink < 1:
        height, width = (max(1, round(side * shrink)) for side in planes.shape[-2:])
        small = F.interpolate(planes, (height, width), mode="bilinear", antialias=True)
    else:
        small = planes
    # Keypoints count from the centre of the first pixel; grid_sample from -1 to 1, edge to edge.
    steps = (torch.arange(size) + 0.5) / size
    points = corner + 0.5 + steps[None, :, None] * across + steps[:, None, None] * down
    grid = points / torch.tensor([planes.shape[-1], planes.shape[-2]]) * 2 - 1
    aligned = F.grid_sample(small, grid[None], "bilinear", "reflection", align_corners=False)
    return aligned[0].movedim(0, -1).clamp(0, 1)
