"""A second look at a wrong face, in its crop, before it is drawn anew.

All of a large picture is shown to the detector small: of a face of a twentieth of its height the five points
are a seventh of the eyes' distance beside where they are found in a portrait of it. Whoever draws by such
points draws beside the place, and a judge who looks there finds true faces wrong.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from ..cast import Cast
from ..faces.crops import crop_faces
from ..faces.detect import detect
from ..faces.embed import embed
from ..faces.models import FaceNetworks
from ..identity import cosines
from ..values import Faces
from .look import nearest, to_picture
from .who import Verdict, is_right, more_like


def nearer(
    models: FaceNetworks,
    picture: torch.Tensor,
    verdict: Verdict,
    cast: Cast,
    recogniser: str,
    at_least: float,
    placed: bool,
    crop: tuple[int, float, str],
) -> Verdict:
    """The verdict on a face of a picture [1, H, W, C] as it is seen in its crop; the one given when no face
    is found there.

    placed: whether it stands at a hard place, where it may be somebody else's of the cast. crop: size, margin
    and align, as crop_faces has them.
    """
    crops, inside = crop_faces(Faces(picture, ((verdict.face,),)), *crop)
    seen = nearest(detect(models, crops.images).faces[0], inside.faces[0][0])
    if seen is None:
        return verdict
    there = to_picture(crops, seen)
    face = replace(verdict.face, box=there.box, keypoints=there.keypoints)
    face = embed(models, Faces(picture, ((face,),)), recogniser).faces[0][0]
    vector = [face.embeddings[recogniser]]
    everybody = {name: cosines(name, cast.target(name, recogniser), vector)[0] for name in cast.names}
    similarity = everybody[verdict.name]
    like = more_like(verdict.name, everybody, at_least) if placed else ""
    return replace(
        verdict, face=face, similarity=similarity, like=like, right=is_right(similarity, like, at_least)
    )
