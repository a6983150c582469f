"""From faces to vectors. Spec: instantid_arc2face.md 0.3."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ..identity import combine
from ..values import Face, Faces, Identity
from .align import align
from .models import FaceModels
from .pixels import rgb8
from .policy import require_faces


def embed(models: FaceModels, faces: Faces, recogniser: str) -> Faces:
    """`faces` with each face's raw vector of `recogniser` on it; vectors that are there are kept.

    All faces of all pictures go to the network together. Raises ValueError for a recogniser the
    pack does not have, MissingModel.
    """
    network = models.recogniser(recogniser)
    crops = []
    for index, found in enumerate(faces.faces):
        wanted = [face for face in found if recogniser not in face.embeddings]
        if wanted:
            picture = torch.from_numpy(rgb8(faces.images, index, "faces"))
            crops += [align(picture, face.keypoints) for face in wanted]
    vectors: Iterator[torch.Tensor] = iter(network(torch.stack(crops)) if crops else ())

    def with_vector(face: Face) -> Face:
        return face if recogniser in face.embeddings else face.with_embedding(recogniser, next(vectors))

    return faces.with_faces([[with_vector(face) for face in found] for found in faces.faces])


def identify(models: FaceModels, faces: Faces, recogniser: str, how: str) -> Identity:
    """Who the faces show: their vectors, in the order of pictures and faces, combined as `how` says.

    Raises ValueError when there is no face at all.
    """
    require_faces(faces, "Embed Faces")
    embedded = embed(models, faces, recogniser)
    vectors = torch.stack([face.embeddings[recogniser] for found in embedded.faces for face in found])
    return Identity(combine(vectors, how), recogniser, source=_provenance(faces, how))


def _provenance(faces: Faces, how: str) -> str:
    """`faces of picture 0: 1, picture 2: 3; mean`: enough to tell two saved identities apart."""
    counted = ", ".join(
        f"picture {i}: {len(f)}" for i, f in zip(faces.indices, faces.faces, strict=True) if f
    )
    return f"faces of {counted}; {how}"
