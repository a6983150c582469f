"""Ten rounds of edits by a model that does not know the person, with and without repair after each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ...training.pictures import SIZE
from ...world.captions import write
from ...world.scene import BACKGROUNDS, HATS
from ..cases import Case
from ..studio import Studio, image
from .repairing import FILES, Picture, cast, repaired
from .row import Draw, Row

ROUNDS = 10
#: Of the stand-in for a model that edits.
_DENOISE = 0.4
#: A bar nearer to what a new face reaches than a single repair's: each edit takes something, and a face that
#: is left alone until it is somebody else's has lost it all.
_AT_LEAST = "0.7"


def wish(case: Case, number: int) -> str:
    """What a round asks for: another hat, another background."""
    hat, background = HATS[1 + number % 3], BACKGROUNDS[number % len(BACKGROUNDS)]
    return write([replace(case.asked, hat=hat, background=background)])


def _edited(studio: Studio, picture: Picture, case: Case, number: int) -> Picture:
    """By the SDXL-shaped trunk from the picture, by words alone."""
    model, clip, vae = studio.checkpoint("sdxl")
    latent = studio.node("VAEEncode", pixels=image(picture), vae=vae)[0]
    seed = case.draw_seed + 17 * number
    prompts = studio.prompts(clip, wish(case, number))
    return studio.decode(vae, studio.sample(model, *prompts, seed, latent=latent, denoise=_DENOISE))


def _rounds(repair: bool) -> Callable[[Studio], Draw]:
    def begin(studio: Studio) -> Draw:
        def drawn(cases: Sequence[Case]) -> Picture:
            case = cases[0]
            people = cast(studio, cases, (SIZE, SIZE), anywhere=True)
            picture, made = case.truth_drawing.picture, []
            for number in range(ROUNDS):
                picture = _edited(studio, picture, case, number)
                if repair:
                    picture = repaired(studio, picture, people, number, at_least=_AT_LEAST)
                made.append(picture)
            return np.concatenate(made, axis=1)

        return drawn

    return begin


ROWS = tuple(
    Row(
        name,
        title,
        f"{ROUNDS} rounds by a network that does not know the person",
        _rounds(repair),
        files=FILES,
        people=ROUNDS,
        share=0.08,
        same=True,
        table=False,
    )
    for name, title, repair in (
        ("rounds_alone", "rounds of edits", False),
        ("rounds", "rounds of edits, repaired after each", True),
    )
)
