"""Faces in the position of the FFHQ and CelebA-HQ pictures: a square with head and shoulders, eyes level.

The square follows from eyes and mouth as in the FFHQ paper (Karras et al. 2019, appendix C); pixels are made
as the data set's were, level for level. Spec: consistentid_masterweaver.md 2.4, adapters.md 5.4.
"""

from __future__ import annotations

from typing import Any

import torch

#: How much finer than its picture the data set's squares were sampled before they were averaged.
_FINER = 4


def square(keypoints: torch.Tensor) -> torch.Tensor:
    """The square around a face with keypoints [5, 2] (insightface order), in pixels of its picture.

    [3, 2]: its top left corner, the way from there to the top right one, the way down to the bottom left
    one. Raises ValueError when eyes and mouth lie in one place.
    """
    return _square(keypoints).to(torch.float32)


def _square(keypoints: torch.Tensor) -> torch.Tensor:
    """The same in float64."""
    left, right, _, mouth_left, mouth_right = keypoints.to("cpu", torch.float64)
    eyes, mouth = (left + right) / 2, (mouth_left + mouth_right) / 2
    across, down = right - left, mouth - eyes
    direction = across - torch.stack([-down[1], down[0]])
    if float(direction.norm()) < 1e-3:
        raise ValueError("A face's five points all lie in one place: it can't be aligned.")
    half = direction / direction.norm() * max(2.0 * float(across.norm()), 1.8 * float(down.norm()))
    turned = torch.stack([-half[1], half[0]])
    centre = eyes + 0.1 * down
    return torch.stack([centre - half - turned, 2 * half, 2 * turned])


def align_ffhq(
    picture: torch.Tensor,
    keypoints: torch.Tensor,
    size: int = 512,
    *,
    samples: int | None = None,
    shrink_for: int | None = None,
    pad: bool = True,
) -> torch.Tensor:
    """A face of a picture [H, W, 3] (0 to 1), in FFHQ's position: [size, size, 3] float32 on the CPU.

    In whole levels of 255, as the data set's pictures. samples: the side of the square as it is sampled,
    averaged down to size; None: four times size, as the data set. shrink_for: pictures whose square is
    several times this side are made smaller first; None: size. pad: beyond the picture's edge it is
    mirrored, blurred and fades to its median colour; else black.
    """
    import numpy as np
    from PIL import Image

    levels = (picture.to("cpu", torch.float32) * 255).round().clamp(0, 255).to(torch.uint8).numpy()
    corner, across, down = _square(keypoints)
    corners = torch.stack([corner, corner + down, corner + across + down, corner + across]).numpy()
    image, corners = _smaller(Image.fromarray(levels), corners, shrink_for or size)
    image, corners = _cut(image, corners)
    if pad:
        image, corners = _continued(image, corners)
    side = samples or _FINER * size
    quad = tuple((corners + 0.5).flatten().tolist())
    image = image.transform((side, side), Image.Transform.QUAD, quad, Image.Resampling.BILINEAR)
    if side != size:
        image = image.resize((size, size), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(image)).to(torch.float32) / 255.0


def _length(corners: Any) -> float:
    """The side of a square with these corners [4, 2]."""
    import numpy as np

    return float(np.hypot(*(corners[3] - corners[0])))


def _border(corners: Any) -> int:
    return max(round(_length(corners) * 0.1), 3)


def _reach(corners: Any) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) in whole pixels around the corners."""
    import numpy as np

    left, top = np.floor(corners.min(axis=0)).astype(int).tolist()
    right, bottom = np.ceil(corners.max(axis=0)).astype(int).tolist()
    return left, top, right, bottom


def _smaller(image: Any, corners: Any, side: int) -> tuple[Any, Any]:
    """A picture whose square is four times `side` or more, made smaller by a whole number."""
    from PIL import Image

    shrink = int(_length(corners) / side * 0.5)
    if shrink <= 1:
        return image, corners
    size = tuple(max(1, round(edge / shrink)) for edge in image.size)
    return image.resize(size, Image.Resampling.LANCZOS), corners / shrink


def _cut(image: Any, corners: Any) -> tuple[Any, Any]:
    """The part of the picture that the square and a border around it see."""
    import numpy as np

    border, (left, top, right, bottom) = _border(corners), _reach(corners)
    left, top = max(left - border, 0), max(top - border, 0)
    right, bottom = min(right + border, image.size[0]), min(bottom + border, image.size[1])
    if left >= right or top >= bottom:
        raise ValueError("A face's five points lie far outside of its picture: it can't be aligned.")
    return image.crop((left, top, right, bottom)), corners - np.array([left, top])


def _continued(image: Any, corners: Any) -> tuple[Any, Any]:
    """A picture that its square leaves goes on: mirrored, more and more blurred, fading to one colour."""
    import numpy as np
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    length, border = _length(corners), _border(corners)
    (left, top, right, bottom), (width, height) = _reach(corners), image.size
    beyond = [-left, -top, right - width, bottom - height]
    pads = [max(edge + border, 0) for edge in beyond]
    if max(pads) <= border - 4:
        return image, corners
    left, top, right, bottom = (max(edge, round(length * 0.3), 1) for edge in pads)
    sides = ((top, bottom), (left, right), (0, 0))
    pixels = np.pad(np.asarray(image, dtype=np.float32), sides, mode="reflect")
    height, width = pixels.shape[:2]
    y, x = (np.arange(n, dtype=np.float32) for n in (height, width))
    across = 1 - np.minimum(x / left, (width - 1 - x) / right)
    along = 1 - np.minimum(y / top, (height - 1 - y) / bottom)
    outside = np.maximum(across[None], along[:, None]).astype(np.float32)[..., None]
    blur = length * 0.02
    blurred = gaussian_filter(pixels, [blur, blur, 0])
    pixels = pixels + (blurred - pixels) * np.clip(outside * 3 + 1, 0, 1)
    pixels = pixels + (np.median(pixels, axis=(0, 1)) - pixels) * np.clip(outside, 0, 1)
    levels = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return Image.fromarray(levels), corners + np.array([left, top])
