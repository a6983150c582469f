"""Which columns of a CONDITIONING each text encoder wrote. Spec: conditioning.md section 0.1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .. import host

#: Sets of encoders whose every token is a row: SD1.5, SDXL's refiner and Cascade, SDXL, SD3.
_READ = ({"l"}, {"g"}, {"l", "g"}, {"l", "g", "t5xxl"})


@dataclass(frozen=True)
class Columns:
    """What one encoder (`l` or `g`) wrote: columns [start, stop) of every row of a word."""

    key: str
    start: int
    stop: int

    @property
    def name(self) -> str:
        """As files of this pack and of others call it: clip_l, clip_g."""
        return f"clip_{self.key}"


def columns_of(clip: Any) -> tuple[Columns, ...]:
    """The columns of the encoders of a CLIP, in order of the columns.

    By its encoders, never by the width of a CONDITIONING: two models share 1280. Raises ValueError for a
    CLIP whose words are no rows of CLIP-L or CLIP-G.
    """
    keys = set(host.text.tokens_of(clip, ""))
    widths = [(key, host.text.width(clip, key)) for key in ("l", "g") if key in keys]
    if keys not in _READ or not all(width for _, width in widths):
        raise ValueError(
            f"clip has the text encoders {', '.join(sorted(keys))}. Changing single words needs token-wise "
            "CLIP-L/CLIP-G: take the clip of an SD1.5 or SDXL checkpoint."
        )
    columns, start = [], 0
    for key, width in widths:
        columns.append(Columns(key, start, start + (width or 0)))
        start += width or 0
    return tuple(columns)
