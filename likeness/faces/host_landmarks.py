"""The host's FACE_LANDMARKS (MediaPipe), in and out.

A mapping: frames, a list of faces for each picture; image_size, height and width; connection_sets. A face
is a mapping: landmarks_xy [478, 2] and bbox_xyxy [4] in pixels, score, and what only the host's network
gives (landmarks_3d, blendshapes, presence, transformation_matrix).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ..values import Face, Faces
from .mesh import landmarks
from .mesh_points import MESHES, connection_sets, five_points
from .pixels import check_image, rgb8

log = logging.getLogger(__name__)


def frames_of(found: Mapping[str, Any]) -> list[Sequence[Mapping[str, Any]]]:
    """The faces of each picture, as they are; None is none. Raises ValueError for anything else."""
    if not isinstance(found, Mapping) or "frames" not in found:
        raise ValueError(
            "face_landmarks is not what the host's MediaPipe Face Landmarker gives: it has no frames. "
            "Connect that node's output."
        )
    frames = found["frames"]
    if not isinstance(frames, list | tuple):
        raise ValueError(f"frames of face_landmarks must be a list, not {type(frames).__name__}.")
    for picture, frame in enumerate(frames):
        if not isinstance(frame, list | tuple | None):
            raise ValueError(
                f"face_landmarks must have a list of faces for picture {picture} (counted from 0), not "
                f"{type(frame).__name__}."
            )
        odd = [type(face).__name__ for face in frame or () if not isinstance(face, Mapping)]
        if odd:
            raise ValueError(
                f"A face of face_landmarks, in picture {picture} (counted from 0), must be a mapping with "
                f"landmarks_xy, not {odd[0]}."
            )
    return [frame or () for frame in frames]


def check_size(found: Mapping[str, Any], images: torch.Tensor) -> None:
    """Raises ValueError when the landmarks were found in pictures of another size than `images`."""
    size = found.get("image_size")
    if size is None:
        return
    height, width = _numbers(size, "image_size", 2).flatten().tolist()
    if (height, width) != tuple(images.shape[1:3]):
        raise ValueError(
            f"face_landmarks was found in a picture of {width:g} x {height:g}, but image is "
            f"{images.shape[2]} x {images.shape[1]}. Connect the image it was found in."
        )


def mesh_of(face: Mapping[str, Any]) -> torch.Tensor:
    """The points of one face, [468 or 478, 2 or 3] float64 in pixels. Raises ValueError for anything else."""
    points = _numbers(face.get("landmarks_xy", ()), "landmarks_xy")
    if points.ndim != 2 or points.shape[0] not in MESHES or points.shape[1] not in (2, 3):
        raise ValueError(
            f"A face of face_landmarks has landmarks_xy of shape {list(points.shape)} instead of [478, 2]."
        )
    if not torch.isfinite(points).all():
        raise ValueError("A face of face_landmarks has landmarks at NaN or infinity.")
    return points


def _numbers(value: Any, what: str, count: int | None = None) -> torch.Tensor:
    """float64 on the CPU. Raises ValueError for anything else than (so many) numbers."""
    # In two steps: where they come from, there may be no float64.
    value = value.to("cpu") if isinstance(value, torch.Tensor) else value
    try:
        numbers = torch.as_tensor(value, dtype=torch.float64, device="cpu")
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{what} of face_landmarks must be numbers, not {type(value).__name__}. ({error})"
        ) from error
    if count is not None and numbers.numel() != count:
        raise ValueError(f"{what} of face_landmarks must be {count} numbers, not {numbers.numel()}.")
    return numbers


def faces_from_landmarks(found: Mapping[str, Any], images: torch.Tensor) -> Faces:
    """FACE_LANDMARKS and the IMAGE it was found in as Faces, in the host's order; see five_points.

    Box and score are the host's, and the mesh stays on each face. Raises ValueError.
    """
    check_image(images)
    frames = frames_of(found)
    if len(frames) != images.shape[0]:
        raise ValueError(
            f"face_landmarks holds {len(frames)} pictures, but image {images.shape[0]}. Connect the image it "
            "was found in."
        )
    check_size(found, images)
    return Faces(images, tuple(tuple(_face(given) for given in frame) for frame in frames))


def _face(given: Mapping[str, Any]) -> Face:
    points = mesh_of(given).to(torch.float32)
    presence = given.get("presence")
    if presence is not None and float(_numbers(presence, "presence", 1)) < 0:
        log.warning(
            "A face of face_landmarks at %d, %d may be none: the host's network is not sure of it (presence "
            "%.1f). A photo that lies on its side is found by Detect Faces.",
            *points[:, :2].mean(dim=0).round().tolist(),
            float(_numbers(presence, "presence", 1)),
        )
    box, score = given.get("bbox_xyxy"), given.get("score")
    extent = _extent(points) if box is None else _numbers(box, "bbox_xyxy", 4).to(torch.float32)
    certain = 1.0 if score is None else float(_numbers(score, "score", 1))
    return Face(extent, five_points(points), certain, points)


def _extent(points: torch.Tensor) -> torch.Tensor:
    return torch.cat([points[:, :2].amin(dim=0), points[:, :2].amax(dim=0)])


def landmarks_from_faces(faces: Faces) -> dict[str, Any]:
    """Faces as FACE_LANDMARKS: the mesh on each, else that of the embedded network (468 points, no irises).

    What only the host's network knows is left out (3-D points, blendshapes, presence, pose), rather than
    made up. One list of faces for each picture of `faces`. Raises ValueError, MissingModel.
    """
    meshes = [[_mesh(faces, index, face) for face in found] for index, found in enumerate(faces.faces)]
    irises = all(len(mesh) == MESHES[1] for found in meshes for mesh in found)
    frames = [
        [_given(face, mesh) for face, mesh in zip(found, own, strict=True)]
        for found, own in zip(faces.faces, meshes, strict=True)
    ]
    width, height = faces.size
    return {"frames": frames, "image_size": (height, width), "connection_sets": connection_sets(irises)}


def _mesh(faces: Faces, index: int, face: Face) -> torch.Tensor:
    if face.landmarks is not None and face.landmarks.shape[0] in MESHES:
        return face.landmarks[:, :2]
    return landmarks(torch.from_numpy(rgb8(faces.images, index, "faces")), face)


def _given(face: Face, mesh: torch.Tensor) -> dict[str, Any]:
    return {
        "bbox_xyxy": _extent(mesh).numpy().copy(),
        "landmarks_xy": mesh.to(torch.float32).numpy().copy(),
        "score": face.score,
    }
