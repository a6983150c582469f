"""A second look at a wrong face, in its crop, before it is drawn anew.

All of a large picture is shown to the detector small: of a face of a twentieth of its height the five points
are a seventh of the eyes' distance beside where they are found in a portrait of it. Whoever draws by such
points draws beside the place, and a judge who looks there finds true faces wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from ..faces.crops import crop_faces
from ..faces.detect import SIZES, detect
from ..faces.models import FaceNetworks
from ..faces.resample import scale_of
from ..values import Faces, Identity
from .look import nearest, to_picture
from .who import Verdict, is_right, more_like, similarities


def nearer(
    models: FaceNetworks,
    picture: torch.Tensor,
    verdict: Verdict,
    cast: Mapping[str, Identity],
    recogniser: str,
    at_least: float,
    placed: bool,
    margin: float,
    align: str,
) -> Verdict:
    """The verdict on a face of a picture [1, H, W, C] as it is seen in its crop; the one given when no face
    is found there, or when the crop would show no more than the picture did.

    cast: everybody, as in similarities. placed: whether it stands at a hard place, where it may be somebody
    else's of the cast. margin, align: as crop_faces has them.
    """
    crops, inside = crop_faces(Faces(picture, ((verdict.face,),)), SIZES[0], margin, align)
    if scale_of(crops.maps[0]) >= max(picture.shape[1:3]):
        return verdict
    seen = nearest(detect(models, crops.images).faces[0], inside.faces[0][0])
    if seen is None:
        return verdict
    face = to_picture(crops, seen)
    everybody = similarities(models, picture, face, cast, recogniser)
    similarity = everybody[verdict.name]
    like = more_like(verdict.name, everybody, at_least) if placed else ""
    right = is_right(similarity, like, at_least)
    return replace(verdict, face=face, similarity=similarity, like=like, right=right)
