"""A second recogniser for nodes that judge: nothing is conditioned with it, nor does the report judge by it.

As the first is made, but with other widths, other people and another seed, and with faces that are not where
they belong in their crops: in pictures of several the detector sets all five points of one in some twenty
true faces beside the eyes, mostly behind glasses, by a fifth of their distance.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...networks.crops import RECOGNISED
from ...networks.recognisers import second
from ..stages import Rooms, Scale, Tensors
from .faces import FacesLesson, begin_album

#: Of faces in their crops, see crops.jitter.
SHIFT = 0.1


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> FacesLesson:
    return FacesLesson(second(), RECOGNISED, begin_album(rooms, "second", scale), rooms, scale, seed, SHIFT)
