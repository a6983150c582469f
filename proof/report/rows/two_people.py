"""InstantID with two people in one picture: a prompt, an area and a mask for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...training.pictures import SIZE
from ..cases import Case
from ..studio import Studio
from .instantid import FILES, apply
from .row import Draw, Row


def _begin(studio: Studio) -> Draw:
    model, clip, vae = studio.checkpoint("sdxl")

    def placed(conditioning: Any, place: int) -> Any:
        area = {"width": SIZE, "height": SIZE, "x": place * SIZE, "y": 0, "strength": 1.0}
        return studio.node("ConditioningSetArea", conditioning=conditioning, **area)[0]

    def both(first: Any, second: Any) -> Any:
        return studio.node("ConditioningCombine", conditioning_1=first, conditioning_2=second)[0]

    def drawn(cases: Sequence[Case]) -> NDArray[np.uint8]:
        changed, sides = model, []
        for place, case in enumerate(cases):
            mask = torch.zeros(1, SIZE, 2 * SIZE)
            mask[:, :, place * SIZE : (place + 1) * SIZE] = 1
            identity = studio.identity(case.reference_drawing.picture)
            positive, negative = studio.prompts(clip, case.prompt)
            changed, *prompts = apply(studio, changed, identity, (positive, negative), mask=mask)
            sides.append([placed(prompt, place) for prompt in prompts])
        positive, negative = (both(*pair) for pair in zip(*sides, strict=True))
        seed = cases[0].draw_seed
        return studio.decode(vae, studio.sample(changed, positive, negative, seed, people=2))

    return drawn


ROWS = (
    Row(
        "two_people",
        "InstantID, two people with masks",
        "side by side, each with an own prompt, area and mask",
        _begin,
        files=FILES,
        cases=2,
        people=2,
        second="partner",
    ),
)
