"""The recogniser that networks are conditioned with."""

from __future__ import annotations

from collections.abc import Mapping

from ...networks.crops import RECOGNISED
from ...networks.recognisers import Recogniser
from ..stages import Rooms, Scale, Tensors
from .faces import FacesLesson, begin_album


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> FacesLesson:
    pictures = begin_album(rooms, "train", scale)
    return FacesLesson(Recogniser(), RECOGNISED, pictures, rooms, scale, seed)
