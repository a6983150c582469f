"""Small square pictures of faces, by which people in a list are told apart."""

from __future__ import annotations

import torch

from ..identity import SIDE
from ..values import Face, Faces
from .pixels import rgb8
from .policy import require_faces

#: Side of the square for a face box of 1: with hair and chin.
_MARGIN = 1.7


def portraits(faces: Faces, count: int) -> torch.Tensor:
    """A square around each of `count` faces, [count, SIDE, SIDE, 3], 0 to 1.

    Faces count in the order of pictures, then of faces. For one person the first is taken; for several
    there must be one for each. Raises ValueError when there are not as many, or none.
    """
    require_faces(faces, "Save Identity")
    if count > 1 and faces.count != count:
        raise ValueError(
            f"The input faces holds {faces.count} faces for {count} people. Connect one face for each, in "
            "the order of the identities, or leave faces open: then the file has no picture."
        )
    found = [(place, face) for place, those in enumerate(faces.faces) for face in those]
    return torch.stack([_square(rgb8(faces.images, place, "faces"), face) for place, face in found[:count]])


def _square(picture: object, face: Face) -> torch.Tensor:
    import cv2
    import numpy as np

    pixels = np.asarray(picture)
    height, width = pixels.shape[:2]
    x1, y1, x2, y2 = face.box.tolist()
    side = max(1, min(round(max(x2 - x1, y2 - y1) * _MARGIN), height, width))
    # A face at the edge keeps its whole square: the square moves, the picture is never padded.
    left = min(max(0, round((x1 + x2 - side) / 2)), width - side)
    top = min(max(0, round((y1 + y2 - side) / 2)), height - side)
    cut = pixels[top : top + side, left : left + side]
    small = cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA if side > SIDE else cv2.INTER_CUBIC)
    return torch.from_numpy(small).to(torch.float32) / 255
