"""Giving an edited crop the colours of the one it was made from."""

from __future__ import annotations

import torch

#: Contrast is changed by no more than this factor: a flat crop has none to be judged by.
_LARGEST_GAIN = 2.0


def match_colours(edited: torch.Tensor, original: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """`edited` with the mean and deviation of `original`, channel by channel in CIE Lab.

    Both are [1, 3, H, W] float32, 0 to 1; weight [1, 1, H, W] says which pixels are counted. All are changed.
    An edited crop that is the original comes back bit for bit.
    """
    from kornia.color import lab_to_rgb, rgb_to_lab

    lab = rgb_to_lab(edited.clamp(0, 1))
    mean, deviation = _statistics(lab, weight)
    wanted_mean, wanted_deviation = _statistics(rgb_to_lab(original.clamp(0, 1)), weight)
    # Half a unit of lightness is less than can be seen: between flat crops contrast is left alone.
    gain = ((wanted_deviation + 0.5) / (deviation + 0.5)).clamp(1 / _LARGEST_GAIN, _LARGEST_GAIN)
    matched = lab * gain + (wanted_mean - mean * gain)
    # The way to Lab and back costs a little; it must not change what is as it should be.
    return edited + (lab_to_rgb(matched, clip=True) - lab_to_rgb(lab, clip=True))


def _statistics(lab: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted mean and deviation of each channel, [1, 3, 1, 1]."""
    share = weight / weight.sum().clamp(min=1e-6)
    mean = (lab * share).sum(dim=(2, 3), keepdim=True)
    return mean, ((lab - mean).square() * share).sum(dim=(2, 3), keepdim=True).sqrt()
