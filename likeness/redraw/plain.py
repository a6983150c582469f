"""Redrawing with a MODEL that carries the person already: a LoRA, or another pack's adapter."""

from __future__ import annotations

from typing import Any

from ..choices.redraw import DENOISE
from ..faces.squares import UPRIGHT
from ..values import Conditioning
from .value import DenoiseRange, Redraw, Sampling


def plain(
    model: Any,
    positive: Conditioning,
    negative: Conditioning,
    vae: Any,
    sampling: Sampling,
    *,
    person: str = "",
    recogniser: str = "",
    size: int = 512,
    denoise: float = DENOISE[1],
    align: str = UPRIGHT,
) -> Redraw:
    """A redraw by the model as it is. person: whom it draws, names with commas between; "" is everybody.

    recogniser: the one by which the adapter in the model knows the person, so that another can judge; "" is
    not known. Raises ValueError for a denoise outside of its range or a size that is none.
    """
    people = tuple(name.strip() for name in person.split(",") if name.strip())
    return Redraw(
        "the plain model",
        model,
        vae,
        sampling,
        lambda subject: (model, positive, negative),
        DenoiseRange(DENOISE[0], denoise, DENOISE[2]),
        size=size,
        align=align,
        people=people,
        conditioned_by=recogniser,
    )
