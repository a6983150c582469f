"""What can be had at best and at worst: pictures drawn by the formula itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def relit(case: Case) -> NDArray[np.uint8]:
    """The true picture in the light of another: everything is where it is asked for."""
    light = figure(_POSES + case.number).attributes.light
    attributes = replace(case.truth.attributes, light=light)
    return draw(replace(case.truth, attributes=attributes), SIZE).picture


def _ceiling(studio: Studio) -> Draw:
    return lambda cases: as_asked(cases[0])


def _in_place(studio: Studio) -> Draw:
    """What a perfect answer to points is: nothing but the light and the autoencoder moves them."""
    return _decoded(studio, relit)


def _autoencoder(studio: Studio) -> Draw:
    return _decoded(studio, as_asked)


def _decoded(studio: Studio, wanted: Callable[[Case], NDArray[np.uint8]]) -> Draw:
    vae = studio.node("VAELoader", vae_name=studio.file("vae"))[0]

    def drawn(cases: Sequence[Case]) -> NDArray[np.uint8]:
        latent = studio.node("VAEEncode", pixels=image(wanted(cases[0])), vae=vae)[0]
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
    Row(
        "in_place",
        "ceiling of points, through the autoencoder",
        "the true picture in another light, encoded and decoded: all is where it is asked for",
        _in_place,
        files=("vae",),
        poses=True,
    ),
    Row("floor", "floor: another person", "somebody else who looks and stands as asked for", _floor),
    Row("pasted", "the reference itself", "what is given, handed back: copy-paste must be 1", _pasted),
)
