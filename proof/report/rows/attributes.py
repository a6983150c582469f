"""A direction of smiling at five scales from one noise: our trainer's, and a difference of prompts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...training.lessons.attribute import NAME, PAIR
from ...world.captions import write
from ..cases import Case
from ..studio import Studio
from .instantid import FILES, apply
from .row import Draw, Row

SCALES = (-1.0, -0.5, 0.0, 0.5, 1.0)
_SUBJECT = "neutral person"


def prompt(case: Case) -> str:
    """All that there is to say of the truth, of a neutral person with their mouth closed."""
    return write([replace(case.asked, mood=0, mouth=0)])


def learnt(studio: Studio) -> Any:
    """ATTRIBUTE of the trainer's file."""
    file = studio.file("smile")
    return studio.once("smile", lambda: studio.node("LikenessLoadAttribute", file=file, attribute=NAME)[0])


def difference(studio: Studio) -> Any:
    """ATTRIBUTE by Learn Attribute."""
    clip = studio.checkpoint("sdxl")[1]
    given = {"clip": clip, "name": "smile_difference", "pairs": PAIR, "prefixes": "a"}
    return studio.once("smile difference", lambda: studio.node("LikenessLearnAttribute", **given)[0])


def _rows(attribute: Callable[[Studio], Any], known: bool) -> Callable[[Studio], Draw]:
    """At all SCALES. known: with InstantID, which says who it is."""

    def begin(studio: Studio) -> Draw:
        model, clip, vae = studio.checkpoint("sdxl")
        direction = attribute(studio)

        def drawn(cases: Sequence[Case]) -> NDArray[np.uint8]:
            case = cases[0]
            text = prompt(case)
            changed = (model, *studio.prompts(clip, text))
            if known:
                identity = studio.identity(case.reference_drawing.picture)
                changed = apply(studio, model, identity, changed[1:])
            given = {"conditioning": changed[1], "clip": clip, "text": text, "attribute": direction}
            edited = [
                studio.node("LikenessApplyAttribute", **given, subject=_SUBJECT, scale=scale, delay=0.2)[0]
                for scale in SCALES
            ]
            seeds = [case.draw_seed] * len(SCALES)
            latent = studio.sample(changed[0], together(edited), changed[2], *seeds)
            return np.concatenate(list(studio.pictures(vae, latent)), axis=1)

        return drawn

    return begin


def together(edited: Sequence[Any]) -> Any:
    """Conditionings of one prompt as one of a batch, a row for each. What is not edited has one part for the
    whole time, the others two."""
    parts = max(map(len, edited))
    made = []
    for n in range(parts):
        rows = [one[min(n, len(one) - 1)] for one in edited]
        facts = next(part for one in edited if len(one) == parts for part in [one[n][1]])
        made.append([torch.cat([row[0] for row in rows]), dict(facts)])
    return made


ROWS = tuple(
    Row(
        name,
        title,
        about,
        _rows(attribute, known),
        files=(*(FILES if known else FILES[:1]), *(("smile",) if attribute is learnt else ())),
        people=len(SCALES),
        second="middle",
        share=0.2,
        same=True,
        reads="smile",
        table=False,
    )
    for name, title, about, attribute, known in (
        ("attribute", "a learned smile", "our trainer's, at five scales", learnt, False),
        ("attribute_instantid", "a learned smile with InstantID", "the same", learnt, True),
        (
            *("attribute_difference", "a smile by difference of prompts", "in seconds, at five scales"),
            *(difference, False),
        ),
        (
            *("attribute_difference_instantid", "a smile by difference, with InstantID", "the same"),
            *(difference, True),
        ),
    )
)
