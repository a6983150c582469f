"""A second recogniser for nodes that judge: nothing is conditioned with it, nor does the report judge by it.

As the first is made, but with other widths, other people and another seed.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...networks.crops import RECOGNISED
from ...networks.recognisers import second
from ..stages import Rooms, Scale, Tensors
from .faces import FacesLesson, begin_album


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> FacesLesson:
    return FacesLesson(second(), RECOGNISED, begin_album(rooms, "second", scale), rooms, scale, seed)
