"""Somebody as a StyleGAN code, which can be mixed and edited. Spec: adapters.md 3.7, fact_wplus.md B.6."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch

from ...adapters.projectors.layer_groups import LAYERS, WIDTH

log = logging.getLogger(__name__)

#: Lengths of a layer in real codes; and how far row 16 may be from row 0, which it equals to about 1 %.
_LENGTHS, _APART = (4.0, 30.0), 0.1


@dataclass(frozen=True, eq=False)
class WPlus:
    """Codes [N, 18, 512], float32 on the CPU: one for all pictures of a batch, or one for each of N.

    source: where they came from, for messages and files. Raises ValueError for anything else.
    """

    codes: torch.Tensor
    source: str = ""

    def __post_init__(self) -> None:
        codes = self.codes.detach().to("cpu", torch.float32)
        if codes.ndim == 2:
            codes = codes[None]
        if codes.ndim != 3 or not len(codes) or tuple(codes.shape[1:]) != (LAYERS, WIDTH):
            raise ValueError(
                f"A W+ code has the shape [N, {LAYERS}, {WIDTH}], not {list(self.codes.shape)}: it must come "
                "from an encoder of FFHQ faces (e4e)."
            )
        if not codes.isfinite().all():
            raise ValueError("A W+ code holds NaN or infinity: its file or its input is damaged.")
        object.__setattr__(self, "codes", codes)

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        return f"WPlus({len(self)}, {self.source or 'unknown'})"


def doubt(codes: torch.Tensor, what: str) -> bool:
    """Whether codes [N, 18, 512] look like no face that e4e encoded; the log says how."""
    lengths, first = codes.norm(dim=-1), codes[:, 0]
    apart = (codes[:, 16] - first).norm(dim=-1) / first.norm(dim=-1).clamp(min=1e-12)
    low, high = lengths.min(), lengths.max()
    if low < _LENGTHS[0] or high > _LENGTHS[1]:
        what_else = f"its layers are {low:.1f} to {high:.1f} long, those of real codes 8 to 14"
    elif apart.max() > _APART:
        what_else = f"its rows 0 and 16 differ by {100 * apart.max():.0f} %, those of e4e by 1 %"
    else:
        return False
    log.warning(
        "%s: %s. It may be of another encoder, or lack the average face (latent_avg).", what, what_else
    )
    return True
