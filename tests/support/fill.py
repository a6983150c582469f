"""Deterministic weights: a tensor is a function of its name, so golden files hold none.

Numpy's PCG64 seeded with the name's crc32, standard normal. Norm scales: 1 + 0.1 z; biases: 0.05 z;
matrices and kernels: z / sqrt(fan in).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import torch


def fill(name: str, shape: Sequence[int]) -> torch.Tensor:
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    z = generator.standard_normal(tuple(shape), dtype=np.float32)
    if len(shape) <= 1:
        z = 1 + 0.1 * z if name.endswith("weight") else 0.05 * z
    else:
        z = z / np.sqrt(np.prod(shape[1:]), dtype=np.float32)
    return torch.from_numpy(np.ascontiguousarray(z, dtype=np.float32))


def fill_state(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The state dict with every float tensor filled under prefix + its key."""
    return {k: (fill(prefix + k, v.shape) if v.is_floating_point() else v) for k, v in state.items()}
