"""How the vectors of several faces become those of one identity."""

from __future__ import annotations

from collections.abc import Callable

import torch


def _unit_mean(vectors: torch.Tensor) -> torch.Tensor:
    # Every face has the same say, and the length stays that of a raw vector: methods that take raw
    # vectors need it (spec 1.2.4).
    norms = vectors.norm(dim=1, keepdim=True)
    if (norms == 0).any():
        raise ValueError("A face's embedding is all zeros: it describes nobody.")
    return (vectors / norms).mean(dim=0, keepdim=True) * norms.mean()


#: How the vectors [N, D] of several faces become those of one identity.
COMBINATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "mean": lambda vectors: vectors.mean(dim=0, keepdim=True),
    "unit mean": _unit_mean,
    "median": lambda vectors: vectors.quantile(0.5, dim=0, keepdim=True),
    "none": torch.clone,
}


def combine(vectors: torch.Tensor, how: str) -> torch.Tensor:
    """Raw vectors [N, D] -> [1, D], or [N, D] for "none". Raises ValueError for another `how`."""
    if how not in COMBINATIONS:
        raise ValueError(f"Faces can't be combined by {how!r}. There are: {', '.join(COMBINATIONS)}.")
    return COMBINATIONS[how](vectors)
