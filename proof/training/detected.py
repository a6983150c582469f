"""Where the detector finds the five points of an album's faces: what ControlNets learn to draw by.

Where the formula has them is of no use: the detector is a tenth of the eyes' distance from it, as far as a
face may be off in the end, and who asks for points has them from the detector.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from .kept import kept
from .pictures import Album

log = logging.getLogger(__name__)

#: Pictures are shown to it so many times as large, as our nodes show portraits, which fit pictures into 640
#: pixels: in small ones it is not exact, and at four times it sees points 0.07 of the eyes' distance beside
#: those at five.
SHOWN = 5
_SURE = 0.5


def detector() -> Any:
    """The one that comes with the pack."""
    from likeness.faces.models import FaceModels

    return FaceModels.open("embedded", "CPU", []).detector()


def found(network: Any, picture: NDArray[np.uint8], larger: int = SHOWN) -> list[NDArray[np.float64]]:
    """Points [5, 2] in the picture's pixels of every face, best first, by one pass over the picture, so many
    times as large. As the detector has them of a picture that it enlarges itself."""
    height, width = picture.shape[:2]
    size = width * larger, height * larger
    shown = picture if larger == 1 else cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    fitting = tuple(32 * -(-side // 32) for side in size)
    bgr = cv2.cvtColor(shown, cv2.COLOR_RGB2BGR)
    _, seen = network.detect(bgr, input_size=fitting, det_thresh=_SURE)
    return [points.astype(np.float64) / larger for points in seen]


def points_of(pictures: Album, count: int, cache: Path, name: str) -> torch.Tensor:
    """float32 [count, 5, 2] of the first pictures; where no face is found the formula's points."""

    def make() -> torch.Tensor:
        network, made, missing = detector(), np.array(pictures.points[:count], dtype=np.float32), 0
        for place in range(count):
            faces = found(network, np.asarray(pictures.pictures[place]))
            if faces:
                made[place] = faces[0]
            missing += not faces
            if (place + 1) % 1000 == 0:
                log.info("Points found: %d of %d, %d without a face", place + 1, count, missing)
        return torch.from_numpy(made)

    return kept(cache, "points", f"{name}-{count}-{SHOWN}", make)
