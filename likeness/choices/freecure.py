"""FreeCure: how a picture looks at its foundation, and how far an inversion goes."""

from typing import Literal

from ..sampling.inversion import LARGEST_GAMMA, LEAST_GAMMA

Mode = Literal["code", "paper", "paper_masked"]
MODES: tuple[Mode, ...] = ("code", "paper", "paper_masked")

__all__ = ["LARGEST_GAMMA", "LEAST_GAMMA", "MODES", "Mode"]
