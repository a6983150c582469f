"""What was taken out, in words."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ...choices.projection import JOINT
from ...text.exact import exact
from .unwanted import Unwanted


@dataclass(frozen=True)
class Taken:
    """made: a prompt [L, W] without the unwanted. rows: which changed, before and after [rows, W]. ranks: the
    directions of each block of columns, of `of` unwanted rows."""

    made: Tensor
    rows: tuple[int, ...]
    ranks: tuple[int, ...]
    of: int
    before: Tensor
    after: Tensor


def write(taken: Taken, source: Unwanted, encoders: str) -> str:
    """The rank and the share of each row's energy (its squared length) that is gone."""
    before, after = (exact(x).square().sum(dim=-1) for x in (taken.before, taken.after))
    ranks = " and ".join(map(str, taken.ranks))
    apart = "all encoders at once" if encoders == JOINT else "each encoder by itself"
    whole = 1 - float(after.sum() / before.sum().clamp_min(1e-30))
    shares = (1 - after / before.clamp_min(1e-30)).tolist()
    each = ", ".join(f"{row}: {share:.1%}" for row, share in zip(taken.rows, shares, strict=True))
    return "\n".join(
        [
            f"Taken out: {source.says}.",
            f"rank {ranks} of {taken.of} rows ({apart})",
            f"energy removed: {whole:.1%} of {len(taken.rows)} rows",
            f"by row: {each}",
        ]
    )
