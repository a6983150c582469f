"""What can be had at best and at worst: pictures drawn by the formula itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...training.pictures import SIZE
from ...world.draw import draw
from ...world.scene import figure
from ..cases import FIRST, Case
from ..studio import Studio, image
from .row import Draw, Row

_POSES = FIRST + 700_000


def as_asked(case: Case) -> NDArray[np.uint8]:
    """The person once more as the prompt asks for, but from elsewhere and in another light."""
    other = figure(_POSES + case.number)
    light = replace(case.truth.attributes, light=other.attributes.light)
    return draw(replace(case.truth, pose=other.pose, attributes=light), SIZE).picture


def _ceiling(studio: Studio) -> Draw:
    return lambda cases: as_asked(cases[0])


def _autoencoder(studio: Studio) -> Draw:
    vae = studio.node("VAELoader", vae_name=studio.file("vae"))[0]

    def drawn(cases: Sequence[Case]) -> NDArray[np.uint8]:
        latent = studio.node("VAEEncode", pixels=image(as_asked(cases[0])), vae=vae)[0]
        return studio.decode(vae, latent)

    return drawn


def _floor(studio: Studio) -> Draw:
    return lambda cases: draw(cases[0].stranger, SIZE).picture


def _pasted(studio: Studio) -> Draw:
    return lambda cases: cases[0].reference_drawing.picture


ROWS = (
    Row(
        "ceiling",
        "ceiling: another true picture",
        "the person as asked for, drawn by the formula, from elsewhere and in another light",
        _ceiling,
    ),
    Row(
        "autoencoder",
        "ceiling through the autoencoder",
        "the same pictures, encoded and decoded by the host",
        _autoencoder,
        files=("vae",),
    ),
    Row("floor", "floor: another person", "somebody else who looks and stands as asked for", _floor),
    Row("pasted", "the reference itself", "what is given, handed back: copy-paste must be 1", _pasted),
)
