"""The networks without any adapter: what a prompt alone does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..cases import Case
from ..studio import Studio
from .row import FEW, Draw, Row


def plain(kind: str) -> Callable[[Studio], Draw]:
    """By the prompt, of the network of this name."""

    def begin(studio: Studio) -> Draw:
        model, clip, vae = studio.checkpoint(kind)

        def drawn(cases: Sequence[Case]) -> NDArray[np.uint8]:
            prompts = studio.prompts(clip, *(case.prompt for case in cases))
            seeds = (case.draw_seed for case in cases)
            return studio.pictures(vae, studio.sample(model, *prompts, *seeds))

        return drawn

    return begin


ROWS = (
    Row("sd15", "no adapter, SD1.5", "the prompt alone", plain("sd15"), files=("sd15",), at_once=FEW),
    Row("sdxl", "no adapter, SDXL", "the prompt alone", plain("sdxl"), files=("sdxl",), at_once=FEW),
)
