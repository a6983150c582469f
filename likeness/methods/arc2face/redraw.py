"""Arc2Face as a way to redraw a face: who by the prompt, the expression by its adapter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...adapters import Adapter
from ...attention.use import Use
from ...choices.arc2face import DENOISE
from ...faces.squares import FFHQ
from ...redraw.value import DenoiseRange, Prompted, Redraw, Sampling, Subject
from ...values import Expression, Faces, Identity
from .expression import apply as apply_expression
from .prompt import RECOGNISER, encode


def maker(
    model: Any,
    clip: Any,
    vae: Any,
    sampling: Sampling,
    *,
    expression_adapter: Adapter | None = None,
    reads: Callable[[Faces], Expression] | None = None,
    size: int = 512,
    denoise: float = DENOISE[1],
    align: str = FFHQ,
) -> Redraw:
    """A redraw by Arc2Face. reads: takes the expression of a face in its crop, for the adapter.

    Raises ValueError for a denoise outside of its range.
    """

    def prepare(subject: Subject) -> Prompted:
        if subject.identity is None:
            raise ValueError("Arc2Face draws by an identity: give the person one.")
        # Several vectors would be several prompts, one for each picture of a batch; here is one picture.
        one = Identity(subject.identity.mean[None], subject.identity.recogniser)
        drawing = model
        if expression_adapter is not None and subject.expression is not None:
            drawing = apply_expression(model, expression_adapter, subject.expression, Use(1.0))
        return (drawing, *encode(clip, one))

    return Redraw(
        "Arc2Face",
        model,
        vae,
        sampling,
        prepare,
        DenoiseRange(DENOISE[0], denoise, DENOISE[2]),
        RECOGNISER,
        size,
        align,
        reads=None if expression_adapter is None else reads,
    )
