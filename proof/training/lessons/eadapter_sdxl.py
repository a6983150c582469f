"""The E-adapter of the SDXL-shaped network, which learns beside InstantID's adapter."""

from __future__ import annotations

from collections.abc import Mapping

from ..stages import Rooms, Scale, Tensors
from . import eadapter


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> eadapter.EAdapterLesson:
    return eadapter.EAdapterLesson("sdxl", scale, seed, rooms, made)
