"""Identity algebra: two people mixed, and people made up from others, both drawn with InstantID."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases import Case
from ..studio import Studio
from .instantid import FILES, apply
from .row import Draw, Row


def _identities(studio: Studio, cases: Sequence[Case]) -> dict[str, Any]:
    made = (studio.identity(case.reference_drawing.picture) for case in cases)
    return {f"identity_{n}": identity for n, identity in enumerate(made)}


def _mixed(studio: Studio) -> Draw:
    model, clip, vae = studio.checkpoint("sdxl")

    def drawn(cases: Sequence[Case]) -> NDArray[np.uint8]:
        known = _identities(studio, cases)
        mixed = studio.node("LikenessMixIdentities", identities=known, weights="1, 1", mode="slerp")[0]
        changed = apply(studio, model, mixed, studio.prompts(clip, cases[0].prompt))
        return studio.decode(vae, studio.sample(*changed, cases[0].draw_seed))

    return drawn


def _sampled(studio: Studio) -> Draw:
    """Two pictures of one made-up person, from the prompts of two cases."""
    model, clip, vae = studio.checkpoint("sdxl")

    def drawn(cases: Sequence[Case]) -> NDArray[np.uint8]:
        made = studio.node(
            "LikenessSampleIdentities",
            identities=_identities(studio, cases),
            count=1,
            spread=0.6,
            min_distance=0.4,
            seed=cases[0].draw_seed,
        )[0]
        parts = []
        for case in cases:
            changed = apply(studio, model, made, studio.prompts(clip, case.prompt))
            parts.append(studio.decode(vae, studio.sample(*changed, case.draw_seed)))
        return np.concatenate(parts, axis=1)

    return drawn


ROWS = (
    Row(
        "mix",
        "two identities mixed",
        "half this person, half the next one; then InstantID",
        _mixed,
        files=FILES,
        cases=2,
        second="parent",
    ),
    Row(
        "sampled",
        "a made-up identity",
        "two pictures of somebody made up near two people; then InstantID",
        _sampled,
        files=FILES,
        cases=2,
        people=2,
        second="twin",
        share=0.5,
    ),
)
