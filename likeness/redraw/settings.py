"""What a user decides about repairing."""

from __future__ import annotations

from dataclasses import dataclass

from ..choices.faces import NO_MATCH
from ..choices.redraw import FACE, REGIONS


@dataclass(frozen=True)
class Settings:
    """How faces are cut, drawn and put back, and what a try may change.

    size 0: the redraw's own. denoise 0: the redraw's usual. pose_shift: how far one of the five points may
    move, in parts of the distance between the eyes. expression_shift: how far the expression may (the ratios
    of expressions.measure). 0 of both: not looked at. Raises ValueError.
    """

    at_least: float
    tries: int = 3
    denoise: float = 0.0
    size: int = 0
    margin: float = 0.5
    region: str = FACE
    seam: float = 32
    colour_match: str = NO_MATCH
    read_expression: bool = False
    pose_shift: float = 0.25
    expression_shift: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise ValueError(f"tries must be 1 or more, not {self.tries}.")
        if self.region not in REGIONS:
            raise ValueError(f"region must be one of {', '.join(REGIONS)}, not {self.region!r}.")
        if self.size and (self.size < 64 or self.size % 8):
            raise ValueError(
                f"crop_size must be 0 (the redraw's own) or a multiple of 8 from 64 on, not {self.size}."
            )
