"""PVA as a way to redraw a face: the face is a hole, filled with the person. Spec: pva_freecure_emojidiff.md
A.
"""

from __future__ import annotations

from typing import Any

from ...attention import Use
from ...faces.squares import FFHQ
from ...redraw.value import DenoiseRange, Prompted, Redraw, Sampling, Subject
from ...values import Conditioning
from .apply import apply
from .content import PVA, identity_tokens


def maker(
    model: Any,
    pva: PVA,
    positive: Conditioning,
    negative: Conditioning,
    vae: Any,
    sampling: Sampling,
    *,
    strength: float = 1.0,
    size: int = 512,
    align: str = FFHQ,
) -> Redraw:
    """A redraw by PVA on an inpainting MODEL; positive holds its word, from Encode PVA Prompt.

    The hole is filled from noise alone, so denoise is 1. Raises ValueError of `apply` when it draws.
    """
    use = Use(strength)

    def prepare(subject: Subject) -> Prompted:
        if subject.identity is None:
            raise ValueError("PVA draws by an identity: give the person one.")
        return apply(model, pva, identity_tokens(pva, subject.identity), use), positive, negative

    reach = DenoiseRange(1.0, 1.0, 1.0)
    return Redraw("PVA", model, vae, sampling, prepare, reach, pva.base.recogniser, size, align, fills=True)
