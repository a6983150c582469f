"""The SDXL-shaped network begins as the SD1.5-shaped one, as far as both are the same."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ...networks import layouts
from ..stages import Rooms, Scale, Tensors
from .trunk import TrunkLesson, deafen


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> TrunkLesson:
    start = layouts.as_sdxl(made["sd15"], seed)
    lesson = TrunkLesson("sdxl", scale, seed, rooms, made["autoencoder"], start, rate=0.01)
    with torch.no_grad():
        deafen(lesson.network)
    lesson.average["label_emb.0.0.weight"].copy_(lesson.learnt["label_emb.0.0.weight"].detach())
    return lesson
