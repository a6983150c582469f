"""FreeCure on InstantID: attributes of the prompt back, and the expression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...training.pictures import SIZE
from ..cases import Case
from ..studio import Studio
from .emojidiff import silent
from .instantid import COPIED, COPYING, FILES, apply
from .row import Draw, Row

_CFG = 2.5


def freecure(
    file: str = "instantid", weight: float = 1.0, expression: bool = False
) -> Callable[[Studio], Draw]:
    def begin(studio: Studio) -> Draw:
        model, clip, vae = studio.checkpoint("sdxl")
        parser = studio.loaded("LikenessLoadFaceParser", file="parser")

        def drawn(cases: Sequence[Case]) -> NDArray[np.uint8]:
            case = cases[0]
            prompts = studio.prompts(clip, case.prompt)
            identity = studio.identity(case.reference_drawing.picture)
            personalised, positive, negative = apply(studio, model, identity, prompts, file, weight=weight)
            foundation = apply(studio, model, identity, prompts, file, weight=weight, empty_identity=True)
            given: dict[str, Any] = {
                "personalised": personalised,
                "foundation": foundation[0],
                "positive": positive,
                "negative": negative,
                "foundation_positive": foundation[1],
                "foundation_negative": foundation[2],
                "latent_image": studio.node("EmptyLatentImage", width=SIZE, height=SIZE, batch_size=1)[0],
                "cfg": _CFG,
                "vae": vae,
                "face_parser": parser,
                "classes": ["hair", "glasses", "hat"],
                **studio.schedule(model, case.draw_seed),
            }
            if expression:
                template = studio.prompts(clip, silent(case))[0]
                given |= {"repair": "attributes + expression", "template": template, "target": prompts[0]}
            return studio.decode(vae, studio.node("LikenessFreeCureSample", **given)[0])

        return drawn

    return begin


ROWS = (
    Row(
        "freecure",
        "FreeCure on InstantID that copies",
        "hair, glasses and hat from the foundation",
        freecure(COPYING, COPIED),
        files=(*FILES, COPYING, "parser"),
        share=0.5,
    ),
    Row(
        "freecure_expression",
        "FreeCure on InstantID, with expression",
        "the expression by asymmetric prompts as well",
        freecure(expression=True),
        files=(*FILES, "parser"),
        share=0.2,
    ),
)
