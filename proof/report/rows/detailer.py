"""The face detailer: a small face of a stranger, cut out, drawn again as the person, and put back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...training.pictures import SIZE
from ...world.draw import draw
from ...world.scene import USUAL_SIZE, Pose
from ..cases import Case
from ..studio import Studio, image, pixels
from .instantid import FILES, apply
from .row import Draw, Row

#: So large that a face in it has half of its usual part, and as many pixels as usual.
_SIDE = 2 * SIZE
#: Of a face's box, as much on each side as portraits of this world have.
_MARGIN = 0.35


def _scene(case: Case) -> NDArray[np.uint8]:
    return draw(replace(case.stranger, pose=Pose(size=USUAL_SIZE / 2)), _SIDE).picture


def _before(studio: Studio) -> Draw:
    return lambda cases: _scene(cases[0])


def _detailer(studio: Studio) -> Draw:
    model, clip, vae = studio.checkpoint("sdxl")

    def drawn(cases: Sequence[Case]) -> NDArray[np.uint8]:
        case = cases[0]
        scene = _scene(case)
        crops, mask, info, _ = studio.node(
            "LikenessCropFaces", faces=studio.faces(scene), size=SIZE, margin=_MARGIN
        )
        identity = studio.identity(case.reference_drawing.picture)
        changed = apply(studio, model, identity, studio.prompts(clip, case.prompt))
        latent = studio.node("VAEEncode", pixels=crops, vae=vae)[0]
        latent = studio.sample(*changed, case.draw_seed, latent=latent, denoise=0.7)
        again = studio.node("VAEDecode", vae=vae, samples=latent)[0]
        given = {"image": image(scene), "crops": again, "crops_info": info, "mask": mask, "seam": 8}
        return pixels(studio.node("LikenessPasteFaces", **given)[0])

    return drawn


ROWS = (
    Row("detailer_before", "before the face detailer", "a stranger with a small face", _before),
    Row(
        "detailer",
        "face detailer",
        "that face cut out, drawn again as the person, put back",
        _detailer,
        files=FILES,
    ),
)
