"""The filter of the host's FreeU node."""

from __future__ import annotations

import logging

import torch
from comfy.model_management import OOM_EXCEPTION
from comfy_extras.nodes_freelunch import Fourier_filter

log = logging.getLogger(__name__)

_THRESHOLD = 1
#: Devices that have no Fourier transform: the host's node does it on the CPU there, too.
_without: set[torch.device] = set()


def scale_low(x: torch.Tensor, factor: float) -> torch.Tensor:
    """Features [B, C, H, W] with their lowest frequencies times a factor."""
    if x.device not in _without:
        try:
            done: torch.Tensor = Fourier_filter(x, threshold=_THRESHOLD, scale=factor)
            return done
        except RuntimeError as error:
            if x.device.type == "cpu" or isinstance(error, OOM_EXCEPTION):
                raise
            log.warning("%s has no Fourier transform (%s): FreeU does it on the CPU.", x.device, error)
            _without.add(x.device)
    back: torch.Tensor = Fourier_filter(x.cpu(), threshold=_THRESHOLD, scale=factor).to(x.device)
    return back
