"""From faces to vectors. Spec: instantid_arc2face.md 0.3."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ..choices.faces import ONLY
from ..identity import combine
from ..values import Face, Faces, Identity
from .align import align
from .models import FaceNetworks
from .pixels import rgb8
from .policy import require_faces


def embed(models: FaceNetworks, faces: Faces, recogniser: str) -> Faces:
    """`faces` with each face's raw vector of `recogniser` on it; vectors that are there are kept.

    The other faces of all pictures go to the network together; without any it is not even opened. Raises
    ValueError for a recogniser the pack does not have, MissingModel.
    """
    crops = []
    for index, found in enumerate(faces.faces):
        wanted = [face for face in found if recogniser not in face.embeddings]
        if wanted:
            picture = torch.from_numpy(rgb8(faces.images, index, "faces"))
            crops += [align(picture, face.keypoints) for face in wanted]
    if not crops:
        return faces
    vectors: Iterator[torch.Tensor] = iter(models.recogniser(recogniser)(torch.stack(crops)))

    def with_vector(face: Face) -> Face:
        return face if recogniser in face.embeddings else face.with_embedding(recogniser, next(vectors))

    return faces.with_faces([[with_vector(face) for face in found] for found in faces.faces])


def identify(models: FaceNetworks, faces: Faces, recogniser: str, how: str) -> Identity:
    """Who the faces show: their vectors, in the order of pictures and faces, combined as `how` says.

    Raises ValueError when there is no face at all, and for ONLY with several recognisers or none.
    """
    require_faces(faces, "Embed Faces")
    if recogniser == ONLY:
        recogniser = only_recogniser(models)
    embedded = embed(models, faces, recogniser)
    vectors = torch.stack([face.embeddings[recogniser] for found in embedded.faces for face in found])
    return Identity(combine(vectors, how), recogniser, source=_provenance(faces, how))


def only_recogniser(models: FaceNetworks) -> str:
    """The name of the recogniser of face models that have one. Raises ValueError for several and for none."""
    names = models.recognisers
    if len(names) != 1:
        has = f"several recognisers: {', '.join(names)}" if names else "no recogniser at all"
        raise ValueError(f"face_models has {has}. Choose one by name, or connect other face models.")
    return names[0]


def _provenance(faces: Faces, how: str) -> str:
    """`faces of picture 0: 1, picture 2: 3; mean`: enough to tell two saved identities apart."""
    counted = ", ".join(
        f"picture {i}: {len(f)}" for i, f in zip(faces.indices, faces.faces, strict=True) if f
    )
    return f"faces of {counted}; {how}"
