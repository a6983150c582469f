"""IdentityNet at twice its usual strength: how near the points come to where they are asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..cases import Case
from ..studio import Studio
from .instantid import FILES, apply, control_net
from .row import Draw, Row

#: At 1 a net with so few steps of training still says too little.
STRENGTH = 2.0


def _strong(studio: Studio) -> Draw:
    model, clip, vae = studio.checkpoint("sdxl")

    def drawn(cases: Sequence[Case]) -> NDArray[np.uint8]:
        case = cases[0]
        changed = apply(
            studio,
            model,
            studio.identity(case.reference_drawing.picture),
            studio.prompts(clip, case.prompt),
            control_net=control_net(studio),
            keypoints=studio.keypoints(case.truth_drawing.picture),
            controlnet_strength=STRENGTH,
        )
        return studio.decode(vae, studio.sample(*changed, case.draw_seed))

    return drawn


ROWS = (
    Row(
        "identitynet_strong",
        f"InstantID, adapter + IdentityNet at {STRENGTH:g}",
        "the same points, told twice as loudly",
        _strong,
        files=(*FILES, "identitynet"),
        poses=True,
    ),
)
