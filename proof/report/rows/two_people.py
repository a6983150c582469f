"""InstantID with two people in one picture: one prompt, and a mask for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ...training.pictures import SIZE, couple
from ...world.captions import caption
from ..cases import Case
from ..studio import Studio
from .instantid import FILES, apply
from .row import Draw, Row


def _begin(studio: Studio) -> Draw:
    model, clip, vae = studio.checkpoint("sdxl")

    def drawn(cases: Sequence[Case]) -> NDArray[np.uint8]:
        scene = couple(cases[0].truth, cases[1].truth)
        changed = (model, *studio.prompts(clip, caption(scene)))
        for place, case in enumerate(cases):
            mask = torch.zeros(1, SIZE, 2 * SIZE)
            mask[:, :, place * SIZE : (place + 1) * SIZE] = 1
            identity = studio.identity(case.reference_drawing.picture)
            changed = apply(studio, changed[0], identity, changed[1:], mask=mask)
        return studio.decode(vae, studio.sample(*changed, cases[0].draw_seed, people=2))

    return drawn


ROWS = (
    Row(
        "two_people",
        "InstantID, two people with masks",
        "side by side, one prompt, a mask for each",
        _begin,
        files=FILES,
        cases=2,
        people=2,
        second="partner",
    ),
)
