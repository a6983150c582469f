"""From the host's IMAGE to the 8-bit pixels that face networks are trained on."""

from __future__ import annotations

from typing import Any

import torch


def check_image(images: torch.Tensor, what: str = "image") -> torch.Tensor:
    """An IMAGE [B, H, W, C] as it is, or ValueError saying what is wrong with it.

    Only the shape and type are looked at; NaN is looked for picture by picture, see check_finite.
    """
    if not isinstance(images, torch.Tensor) or images.ndim != 4:
        shape = list(images.shape) if isinstance(images, torch.Tensor) else type(images).__name__
        raise ValueError(
            f"The input {what} must be an IMAGE [pictures, height, width, channels], not {shape}."
        )
    if not images.is_floating_point():
        raise ValueError(f"The input {what} must hold numbers from 0 to 1, not {images.dtype}.")
    if 0 in images.shape[1:3]:
        raise ValueError(f"The input {what} has pictures without pixels: {list(images.shape)}.")
    if images.shape[3] not in (1, 3, 4):
        raise ValueError(f"The input {what} must have 1, 3 or 4 channels, not {images.shape[3]}.")
    return images


def check_finite(pixels: torch.Tensor, index: int, what: str = "image") -> None:
    """Raises ValueError for NaN or infinity in pixels of picture `index` of the input `what`."""
    # The sum is NaN or infinite if any pixel is, and quicker than a look at each.
    if not torch.isfinite(pixels.sum()) and not torch.isfinite(pixels).all():
        raise ValueError(
            f"The input {what} holds NaN or infinity in picture {index} (counted from 0). A model that ran "
            "in half precision often makes such pictures: look at the node that drew it."
        )


def rgb8(images: torch.Tensor, index: int, what: str = "image") -> Any:
    """Picture `index` of an IMAGE as a numpy array [H, W, 3], uint8 RGB.

    Rounds, so that a picture which came from 8 bits gives exactly those bits again (spec 0.2.1).
    Alpha is left out, one channel counts as grey. Raises ValueError for NaN or infinity.
    """
    picture = images[index].to("cpu", torch.float32)
    check_finite(picture, index, what)
    picture = picture.expand(-1, -1, 3) if picture.shape[-1] == 1 else picture[..., :3]
    # The product is a new tensor: the rest may happen in it.
    return (picture * 255.0).round_().clamp_(0, 255).to(torch.uint8).contiguous().numpy()
