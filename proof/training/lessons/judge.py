"""The judge: another network, another frame, other people and seed. Nothing is conditioned with it."""

from __future__ import annotations

from collections.abc import Mapping

from ...networks.crops import JUDGED
from ...networks.recognisers import Judge
from ..stages import Rooms, Scale, Tensors
from .faces import FacesLesson, begin_album


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> FacesLesson:
    return FacesLesson(Judge(), JUDGED, begin_album(rooms, "judge", scale), rooms, scale, seed)
