"""From faces, the host's landmarks or a plain picture to an expression. Spec: instantid_arc2face.md 2.5.1."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch

from ..faces.choose import ORDERS
from ..faces.detect import detect
from ..faces.host_landmarks import check_size, frames_of, mesh_of
from ..faces.mesh import landmarks
from ..faces.mesh_points import MESHES
from ..faces.models import FaceModels
from ..faces.pixels import check_image, rgb8
from ..faces.policy import require_faces
from ..values import Expression, Faces
from .crop import crop_face, upright
from .smirk import ExpressionEncoder, encode

log = logging.getLogger(__name__)


def read_expression(
    encoder: ExpressionEncoder,
    faces: Faces | None = None,
    image: torch.Tensor | None = None,
    face_landmarks: Mapping[str, Any] | None = None,
) -> Expression:
    """The expression of the largest face of the first picture that has one.

    Landmarks are those of face_landmarks (the host's FACE_LANDMARKS, in pixels of image, else of the faces'
    pictures), else of faces, else of what the embedded detector finds in image. Raises ValueError.
    """
    if face_landmarks is not None:
        picture, points = _from_host(face_landmarks, image, faces)
    else:
        picture, points = _from_faces(_detected(image) if faces is None else faces)
    return encode(encoder, crop_face(*upright(picture, points)))


def _detected(image: torch.Tensor | None) -> Faces:
    if image is None:
        raise ValueError(
            "Read Expression has nothing to read: connect faces (from Detect Faces), face_landmarks with "
            "image (from MediaPipe Face Landmarker), or image alone."
        )
    log.info("No faces or face_landmarks are connected: the embedded detector looks for them.")
    return detect(FaceModels.open("embedded", "CPU"), check_image(image)[:1])


def _from_faces(faces: Faces) -> tuple[torch.Tensor, torch.Tensor]:
    require_faces(faces, "Read Expression")
    index = next(i for i, found in enumerate(faces.faces) if found)
    if faces.count > 1:
        log.info("The largest face of picture %d is read, of %d faces.", faces.indices[index], faces.count)
    face = ORDERS["largest"](faces.faces[index])[0]
    picture = torch.from_numpy(rgb8(faces.images, index, "faces"))
    known = face.landmarks is not None and face.landmarks.shape[0] in MESHES
    return picture, face.landmarks if known and face.landmarks is not None else landmarks(picture, face)


def _from_host(
    found: Mapping[str, Any], image: torch.Tensor | None, faces: Faces | None
) -> tuple[torch.Tensor, torch.Tensor]:
    images = image if image is not None else faces.images if faces is not None else None
    if images is None:
        raise ValueError(
            "face_landmarks says where the face is but carries no picture: connect image as well, the one it "
            "was found in."
        )
    if image is not None:
        check_image(image)
    frames = frames_of(found)
    index = next((i for i, frame in enumerate(frames) if frame), None)
    if index is None:
        raise ValueError(
            f"face_landmarks holds no face in any of its {len(frames)} pictures. Lower min_confidence of the "
            "node that made it, or use another picture."
        )
    if index >= images.shape[0]:
        raise ValueError(
            f"face_landmarks has its first face in picture {index} (counted from 0), but image holds "
            f"{images.shape[0]}. Connect the image it was found in."
        )
    check_size(found, images)
    candidates = [mesh_of(face) for face in frames[index]]
    count = sum(len(frame) for frame in frames)
    if count > 1:
        log.info("The largest face of picture %d is read, of %d faces.", index, count)
    return torch.from_numpy(rgb8(images, index)), max(candidates, key=_extent)


def _extent(points: torch.Tensor) -> float:
    width, height = (points.amax(dim=0) - points.amin(dim=0)).tolist()[:2]
    return float(width * height)
