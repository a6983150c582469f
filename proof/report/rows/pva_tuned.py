"""PVA after its 40 steps on three pictures of a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...training.pictures import SIZE
from ..cases import Case
from ..studio import Studio
from .pva import FILES, TEXT, filled, photos
from .row import Draw, Row

#: Of the 40 steps. An aligned portrait shows a face as large as the network draws it when it is a quarter
#: larger than its pictures.
TUNING = {"steps": 40, "size": SIZE + SIZE // 4, "timesteps": 4, "learning_rate": 2e-4}


def _tuned(studio: Studio) -> Draw:
    """By the code of Tune PVA; the node's own size is 512, which this world's network can't draw."""
    checkpoint = studio.checkpoint("sd2_inpaint")
    adapter = studio.loaded("LikenessLoadPVA", file="pva")
    tune, plan = (studio.value("likeness.methods.pva.tune", name) for name in ("tune", "Plan"))
    last: dict[int, Any] = {}  # of one person only: each has a network of their own

    def drawn(cases: Sequence[Case]) -> NDArray[np.uint8]:
        case = cases[0]
        if case.number not in last:
            last.clear()
            how = plan(seed=case.draw_seed, precision="float32", save_memory=False, **TUNING)
            last[case.number] = tune(*checkpoint, adapter, photos(case), True, how)
        person = last[case.number]
        return filled(studio, case, person.model, person.pva, TEXT, 1.0)

    return drawn


ROWS = (
    Row(
        "pva_tuned",
        "PVA after 40 steps",
        "tuned on three pictures of each person first; of every tenth person, ten pictures each",
        _tuned,
        files=FILES,
        share=0.1,
        each=10,
        learns=True,
    ),
)
