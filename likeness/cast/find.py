"""From pictures to who is in them: one detection and one embedding for each picture."""

from __future__ import annotations

import torch

from ..algebra.calibration import Calibration
from ..choices.people import HARD, PLACES, SHARED, SOFT
from ..faces.detect import detect
from ..faces.embed import embed
from ..faces.models import FaceNetworks
from ..faces.policy import ERROR, apply_policy
from ..values import Faces
from .assigning import Assignment, assign
from .least import bar
from .recogniser import shared_recogniser
from .tracked import assign_tracked
from .value import Cast


def find_people(
    cast: Cast,
    models: FaceNetworks | None,
    faces: Faces | None = None,
    images: torch.Tensor | None = None,
    recogniser: str = SHARED,
    at_least: str = "0.4",
    places: str = SOFT,
    tracked: bool = False,
    if_no_face: str = ERROR,
    calibration: Calibration | None = None,
) -> tuple[Faces, Assignment]:
    """The faces with their vectors, and whose they are.

    Either faces, found before, or an IMAGE [B, H, W, C] to look at, for which models are needed.
    recogniser: as in shared_recogniser. at_least: as in bar. places: of PLACES. tracked: as in
    assign_tracked. Raises ValueError, MissingModel.
    """
    if places not in PLACES:
        raise ValueError(f"places must be one of {', '.join(PLACES)}, not {places!r}.")
    if (faces is None) == (images is None):
        both = "Both faces and image are" if faces is not None else "Neither faces nor image is"
        raise ValueError(f"{both} connected. Connect one: faces from Detect Faces, or image and face_models.")
    if faces is None:
        if models is None or images is None:
            raise ValueError(
                "image needs face_models, to find the faces in it. Connect them, from Load Face Models."
            )
        faces = detect(models, images)
    faces = apply_policy(faces, if_no_face, "Use other pictures, or set if_no_face to skip or pass through.")
    name = shared_recogniser(models, cast, faces, recogniser)
    if models is not None:
        faces = embed(models, faces, name)
    way = assign_tracked if tracked else assign
    return faces, way(faces, cast, name, bar(at_least, name, calibration), places == HARD)
