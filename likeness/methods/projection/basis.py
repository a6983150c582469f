"""Directions taken out of rows. Spec: conditioning.md 3.1, after the formula of DECOR (arXiv:2412.09169)."""

from __future__ import annotations

import torch
from torch import Tensor

from ...text.exact import exact

#: Singular values below this part of the largest are rounding, not a direction.
RTOL = 1e-4


def basis(rows: Tensor, rank: int = 0, rtol: float = RTOL) -> Tensor:
    """V [width, r], float64 on the CPU: an orthonormal basis of what rows [n, width] span.

    rank: keep the so many strongest directions; 0 keeps all whose singular value is more than rtol times the
    largest. Raises ValueError for no rows, rows of zeros or not finite, or a rank below 0.
    """
    found = exact(rows)
    if rank < 0:
        raise ValueError(f"rank must be 0 (all) or more, not {rank}.")
    if found.numel() == 0:
        raise ValueError("unwanted has no words: write what is to be taken out.")
    if not found.isfinite().all():
        raise ValueError("The rows of unwanted hold NaN or infinity: encode them with another clip.")
    _, values, v = torch.linalg.svd(found, full_matrices=False)
    if values[0] == 0:
        raise ValueError(
            "The rows of unwanted are all zeros, so there is no direction to take out: write other words, or "
            "set centre to false."
        )
    there = int((values > rtol * values[0]).sum())
    return v[: min(rank, there) if rank else there].T.contiguous()


def project_out(x: Tensor, v: Tensor, alpha: float) -> Tensor:
    """X - alpha (X V) V^T for X [..., width]: float64 on the CPU, given back as X is.

    alpha 0 gives X itself, 1 rows at right angles to all of V [width, r]. Raises ValueError for an alpha that
    is not from 0 to 1, and where the widths differ.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"strength must be from 0 to 1, not {alpha}: more would turn the words around.")
    if x.shape[-1] != len(v):
        raise ValueError(
            f"The prompt is {x.shape[-1]} wide, the unwanted words {len(v)}: use one clip for both."
        )
    if alpha == 0:
        return x
    wide = exact(x)
    return torch.sub(wide, (wide @ v) @ v.T, alpha=alpha).to(x)
