"""Which way an identity points, and how much that is the way of a face."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..values import Identity

#: A sum of vectors shorter than this share of what went in points nowhere.
NOTHING = 1e-6


def mean_of(name: str, identity: Identity) -> torch.Tensor:
    """The identity's mean, raw, [D] float64. Raises ValueError naming it when that is nothing."""
    mean = identity.mean.double()
    if float(mean.norm()) < NOTHING * float(identity.embeddings.norm(dim=1).mean()):
        raise ValueError(f"{name}: its embeddings cancel each other out, so their mean describes nobody.")
    return mean


def cosines(name: str, identity: Identity, vectors: Sequence[torch.Tensor]) -> list[float]:
    """Of faces' raw vectors [D], by the identity's recogniser, with its mean: -1 to 1.

    Raises ValueError naming the identity for vectors of another length or of nothing.
    """
    target = torch.nn.functional.normalize(mean_of(name, identity), dim=0)
    for vector in vectors:
        if vector.shape != target.shape:
            raise ValueError(
                f"{name} has {len(target)} numbers, but a face's {identity.recogniser} vector has "
                f"{len(vector)}: they come from different networks."
            )
        if not vector.any():
            raise ValueError(f"A face's {identity.recogniser} vector is all zeros: it describes nobody.")
    if not vectors:
        return []
    units = torch.nn.functional.normalize(torch.stack(list(vectors)).double(), dim=1)
    return (units @ target).clamp(-1, 1).tolist()
