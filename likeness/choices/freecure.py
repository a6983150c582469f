"""FreeCure: how a picture looks at its foundation, and how far an inversion goes."""

from typing import Literal

Mode = Literal["code", "paper", "paper_masked"]
MODES: tuple[Mode, ...] = ("code", "paper", "paper_masked")

#: How far back to noise: a part of the whole way.
LEAST_GAMMA, LARGEST_GAMMA = 0.05, 0.95
