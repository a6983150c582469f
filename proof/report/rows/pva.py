"""PVA: fills the face of somebody's picture with the person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...training.pictures import SIZE
from ...world.captions import write
from ...world.draw import draw
from ...world.scene import figure
from ..cases import FIRST, Case
from ..studio import Studio, image, pixels
from .row import Draw, Row

FILES = ("sd2_inpaint", "pva")
_PHOTOS = 3
TEXT = "a <new1> person"
#: Whose picture is filled: not somebody who looks as the prompt asks, so that only the fill can say so.
_HOSTS = FIRST + 800_000


def _picture(case: Case, as_asked: bool) -> NDArray[np.uint8]:
    """A stranger's. as_asked: dressed and lit as the truth; else with another expression as well."""
    if as_asked:
        return draw(case.stranger, SIZE).picture
    return draw(figure(_HOSTS + case.number), SIZE).picture


def photos(case: Case) -> dict[str, Any]:
    shown = [case.reference_drawing.picture, *case.more(_PHOTOS - 1)]
    return {f"image_{n}": image(photo) for n, photo in enumerate(shown)}


def pva(language: bool = False) -> Callable[[Studio], Draw]:
    """language: the expression by words, with guidance."""

    def begin(studio: Studio) -> Draw:
        model = studio.checkpoint("sd2_inpaint")[0]
        adapter = studio.loaded("LikenessLoadPVA", file="pva")

        def drawn(cases: Sequence[Case]) -> NDArray[np.uint8]:
            case = cases[0]
            tokens = studio.node("LikenessEncodePVA", pva=adapter, images=photos(case))[0]
            side = "both" if language else "positive"
            given = {"model": model, "pva": adapter, "pva_tokens": tokens, "apply_to": side}
            changed = studio.node("LikenessApplyPVA", **given)[0]
            text = write([case.asked]).replace(" person", " <new1> person", 1) if language else TEXT
            return filled(studio, case, changed, adapter, text, 4.0 if language else 1.0)

        return drawn

    return begin


def filled(studio: Studio, case: Case, model: Any, pva: Any, text: str, cfg: float) -> NDArray[np.uint8]:
    """The hole of the picture, by a model that knows the person and a PVA that knows their word."""
    clip, vae = studio.checkpoint("sd2_inpaint")[1:]
    positive = studio.node("LikenessPVAPrompt", clip=clip, pva=pva, text=text)[0]
    negative = studio.prompts(clip, "a person")[0]
    picture = image(_picture(case, as_asked=cfg == 1.0))
    hole, blend = studio.node("LikenessPVAMask", image=picture, feather=4)
    placed = studio.node(
        "InpaintModelConditioning",
        positive=positive,
        negative=negative,
        vae=vae,
        pixels=picture,
        mask=hole,
        noise_mask=False,
    )
    latent = studio.sample(model, placed[0], placed[1], case.draw_seed, cfg=cfg)
    inside = studio.node("VAEDecode", vae=vae, samples=latent)[0]
    return pixels(picture + (inside - picture) * blend[..., None])


ROWS = (
    Row("pva", "PVA", "the face of a stranger's picture filled with the person", pva(), files=FILES),
    Row(
        "pva_language",
        "PVA by language",
        "with the expression in words, guidance 4",
        pva(language=True),
        files=FILES,
    ),
)
