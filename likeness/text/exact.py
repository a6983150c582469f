"""Rows of a prompt, ready for linear algebra. Spec: conditioning.md 2.2, 3.2."""

from __future__ import annotations

import torch
from torch import Tensor


def exact(x: Tensor) -> Tensor:
    """A copy in float64 on the CPU, whatever device the prompt is on: other devices may have no float64."""
    return x.to("cpu", torch.float64, copy=True)
