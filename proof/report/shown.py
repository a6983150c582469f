"""Single pictures of the demo's person that are kept beside the page: thumbnails of templates show them."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..training.pictures import SIZE
from ..world.draw import draw
from .rows.emojidiff import template
from .shots import Shots

#: Of the demo's wishes, so many are drawn by each row.
EACH = 4
#: Rows of which the demo shows nothing.
MORE = ("instantid", "detailer_before")


def files(demo: Mapping[str, Shots]) -> dict[str, bytes]:
    """shown/ROW_N.jpg, N the number of the demo's wish; none of a picture in which a face is missing: noise
    is no result. With them what they were drawn from: the person's picture, and for each wish how they truly
    look, a stranger who looks so, and a template of the expression."""
    from ..demo.people import person, wishes

    found: dict[str, bytes] = {}
    for name, shots in demo.items():
        seen = np.all(shots.found.reshape(len(shots.pictures), -1), axis=1).tolist()
        for n, (picture, there) in enumerate(zip(shots.pictures, seen, strict=True)):
            if there:
                found[f"shown/{name}_{n}.jpg"] = _jpeg(picture)
    if found:
        found["shown/person.jpg"] = _jpeg(person().reference_drawing.picture)
        for n, wish in enumerate(wishes()[:EACH]):
            found[f"shown/truth_{n}.jpg"] = _jpeg(wish.case.truth_drawing.picture)
            found[f"shown/stranger_{n}.jpg"] = _jpeg(draw(wish.case.stranger, SIZE).picture)
            found[f"shown/template_{n}.jpg"] = _jpeg(template(wish.case))
    return found


def _jpeg(picture: NDArray[np.uint8]) -> bytes:
    written = io.BytesIO()
    Image.fromarray(picture).save(written, "JPEG", quality=90)
    return written.getvalue()
