"""What the stage data works with beside the networks that draw."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from likeness.expressions.measure import Measure

from ..faces import Looker
from .filter import open_landmarker
from .swap import Command


@dataclass(frozen=True, eq=False)
class Tools:
    """What is opened before any network that draws: who swaps (None: a folder), looks and measures."""

    swapper: Command | None
    looker: Looker
    measure: Measure


def open_tools(options: argparse.Namespace) -> Tools:
    """Raises ValueError for options that do not go together, and for files that can't be used."""
    if bool(options.swapper) == bool(options.swaps):
        raise ValueError("Give --swapper, a command, or --swaps, a folder: no swapper comes along.")
    if not options.recogniser:
        raise ValueError("--recogniser is needed: without, nobody can tell whether the swap took.")
    swapper = Command.parse(options.swapper, options.swap_timeout) if options.swapper else None
    return Tools(swapper, Looker(Path(options.recogniser)), _measure(options))


def _measure(options: argparse.Namespace) -> Measure:
    if bool(options.comfyui) != bool(options.landmarker):
        raise ValueError(
            "--comfyui and --landmarker go together: the one has the code, the other the weights."
        )
    if not options.landmarker:
        return Measure()
    return Measure(open_landmarker(Path(options.comfyui), Path(options.landmarker)))
