"""EmojiDiff-style expressions: of a template picture, without an identity and beside InstantID's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...training.pictures import SIZE
from ...world.captions import write
from ...world.draw import draw
from ...world.people import Person
from ..cases import FIRST, Case
from ..studio import Studio, image
from .instantid import FILES as INSTANTID
from .instantid import apply_each
from .row import FEW, Draw, Row

_MODELS = FIRST + 900_000


def silent(case: Case) -> str:
    """The prompt without a word of the expression: only a template can say it."""
    return write([replace(case.asked, mood=0, mouth=0, brows=0, closed=False, gaze=0)])


def template(case: Case) -> NDArray[np.uint8]:
    """Somebody else with the truth's expression."""
    return draw(replace(case.truth, person=Person.of(_MODELS + case.number)), SIZE).picture


def emojidiff(kind: str, identity: bool, adapter: bool = True) -> Callable[[Studio], Draw]:
    def begin(studio: Studio) -> Draw:
        model, clip, vae = studio.checkpoint(kind)

        def drawn(cases: Sequence[Case]) -> NDArray[np.uint8]:
            changed = (model, *studio.prompts(clip, *(silent(case) for case in cases)))
            if identity:
                changed = apply_each(studio, model, cases, changed[1:])
            if adapter:
                shown = image(*(template(case) for case in cases))
                changed = (_expressed(studio, kind, changed[0], shown), *changed[1:])
            return studio.pictures(vae, studio.sample(*changed, *(case.draw_seed for case in cases)))

        return drawn

    return begin


def _expressed(studio: Studio, kind: str, model: Any, templates: torch.Tensor) -> Any:
    adapter = studio.loaded("LikenessLoadEAdapter", file=f"emojidiff_{kind}")
    vision = studio.loaded("CLIPVisionLoader", clip_name="clip_vision")
    shown = studio.node("LikenessExpressionTemplate", image=templates)[0]
    tokens = studio.node("LikenessEncodeExpression", eadapter=adapter, clip_vision=vision, template=shown)[0]
    given = {"model": model, "eadapter": adapter, "expression_tokens": tokens, "negative": "no expression"}
    return studio.node("LikenessApplyEAdapter", **given)[0]


ROWS = (
    Row(
        "silent_sd15",
        "SD1.5, expression unsaid",
        "the prompt without the expression: what the next row begins from",
        emojidiff("sd15", identity=False, adapter=False),
        files=("sd15",),
        at_once=FEW,
    ),
    Row(
        "emojidiff",
        "E-adapter, no identity",
        "the expression of another person's picture",
        emojidiff("sd15", identity=False),
        files=("sd15", "emojidiff_sd15", "clip_vision"),
        at_once=FEW,
    ),
    Row(
        "silent_instantid",
        "InstantID, expression unsaid",
        "the prompt without the expression: what the next row begins from",
        emojidiff("sdxl", identity=True, adapter=False),
        files=INSTANTID,
        at_once=FEW,
    ),
    Row(
        "emojidiff_instantid",
        "E-adapter and InstantID",
        "the expression of another person's picture beside an identity",
        emojidiff("sdxl", identity=True),
        files=(*INSTANTID, "emojidiff_sdxl", "clip_vision"),
        at_once=FEW,
    ),
)
