"""What a face's expression is measured by: the host's blendshapes, or the proportions of the embedded mesh.

The host's landmarker travels as FACE_DETECTION_MODEL, from its node *Load Face Detection Model (MediaPipe)*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..faces.crops import crop_faces
from ..faces.mesh import landmarks
from ..faces.mesh_points import MESHES
from ..faces.pixels import rgb8
from ..values import Face, Faces
from .distance import BLENDSHAPES, RATIOS, blendshape_distance, ratio_distance, ratios

#: What the landmarker sees of a face: an upright square, half a face wider at each side.
_CROP, _MARGIN, _SURE = 512, 0.5, 0.5
#: Distances of one photo changed (mirrored, turned, small, dark), and of a smile from a closed mouth;
#: measured on the photos of our tests (tests/library/expressions/test_expression_distance.py).
RATIO_BARS = (0.05, 0.11)


@dataclass(frozen=True, eq=False)
class Reading:
    """One face's expression: blendshapes by name, or else the five ratios [5, 2]."""

    blendshapes: dict[str, float] | None = None
    ratios: torch.Tensor | None = None


@dataclass(frozen=True, eq=False)
class Measure:
    """How expressions are read. landmarker: the host's FACE_DETECTION_MODEL, or None for the ratios."""

    landmarker: Any = None

    def __post_init__(self) -> None:
        if self.landmarker is not None and not callable(getattr(self.landmarker, "detect_batch", None)):
            raise ValueError(
                f"landmarker is {type(self.landmarker).__name__}, not a face landmarker. Connect the host's "
                "Load Face Detection Model (MediaPipe), or leave it open."
            )

    @property
    def name(self) -> str:
        return RATIOS if self.landmarker is None else BLENDSHAPES

    @property
    def says(self) -> str:
        """What the numbers are, for people."""
        if self.landmarker is not None:
            return (
                "Measure: blendshapes, the mean difference of MediaPipe's 52, read by the host's landmarker."
            )
        same, other = RATIO_BARS
        return (
            "Measure: ratios, the mean difference of five proportions of the embedded mesh (eyes, brows, "
            "mouth open, mouth width, mouth corners), because no landmarker is connected. Not comparable "
            f"with blendshapes. On the photos of our tests: one photo changed is below {same}, a smile and a "
            f"closed mouth are above {other} apart."
        )

    def read(self, faces: Faces) -> list[Reading | None]:
        """The expression of the first face of each picture; None where there is none.

        With a landmarker also where it does not see the face. Raises ValueError, MissingModel.
        """
        if self.landmarker is None:
            return [self._ratios(faces, n, found) for n, found in enumerate(faces.faces)]
        first = faces.with_faces([found[:1] for found in faces.faces])
        places = [n for n, found in enumerate(first.faces) if found]
        readings: list[Reading | None] = [None] * len(first.faces)
        if places:
            for place, found in zip(places, self._blendshapes(first), strict=True):
                readings[place] = found
        return readings

    def _ratios(self, faces: Faces, place: int, found: Sequence[Face]) -> Reading | None:
        if not found:
            return None
        known = found[0].landmarks
        if known is not None and known.shape[0] in MESHES:
            return Reading(ratios=ratios(known))
        return Reading(ratios=ratios(landmarks(torch.from_numpy(rgb8(faces.images, place)), found[0])))

    def _blendshapes(self, faces: Faces) -> list[Reading | None]:
        """Of the pictures that have a face."""
        crops, _ = crop_faces(faces, _CROP, _MARGIN)
        pixels = [rgb8(crops.images, n) for n, picture in enumerate(crops.pictures) if picture >= 0]
        seen = self.landmarker.detect_batch(pixels, num_faces=1, score_thresh=_SURE, variant="short")
        return [Reading(blendshapes=dict(found[0]["blendshapes"])) if found else None for found in seen]


def distance(one: Reading, other: Reading) -> float:
    """How far two readings of one measure are apart; 0 is the same expression. Raises ValueError."""
    if one.blendshapes is not None and other.blendshapes is not None:
        return blendshape_distance(one.blendshapes, other.blendshapes)
    if one.ratios is None or other.ratios is None:
        raise ValueError("Blendshapes and ratios can't be compared: read both faces with one measure.")
    return ratio_distance(one.ratios, other.ratios)
