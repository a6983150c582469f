"""What the page needs to let somebody click a face instead of writing its place."""

from __future__ import annotations

from typing import Any

from ..values import Faces
from .selection import Selection


def page_data(faces: Faces, selection: Selection) -> list[dict[str, Any]]:
    """For each picture its size and its faces, as JSON.

    box: x1, y1, x2, y2 in parts of the picture. place: among the faces that count, as `index list` counts
    them; -1 for one that does not count. chosen: by this run.
    """
    height, width = faces.images.shape[1:3]
    scale = (width, height, width, height)
    return [
        {
            "picture": index,
            "width": width,
            "height": height,
            "faces": [
                {
                    "box": [round(v / s, 5) for v, s in zip(face.box.tolist(), scale, strict=True)],
                    "place": counting.index(place) if place in counting else -1,
                    "chosen": place in chosen,
                }
                for place, face in enumerate(found)
            ],
        }
        for index, found, counting, chosen in zip(
            faces.indices, faces.faces, selection.counting, selection.chosen, strict=True
        )
    ]
