"""The host's FACE_LANDMARKS (MediaPipe), in and out.

A mapping: frames, a list of faces for each picture; image_size, height and width; connection_sets. A face
is a mapping: landmarks_xy [478, 2] and bbox_xyxy [4] in pixels, score, and what only the host's network
gives (landmarks_3d, blendshapes, presence, transformation_matrix).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ..values import Face, Faces
from .mesh import landmarks
from .mesh_points import MESHES, connection_sets, five_points
from .pixels import check_image, rgb8


def frames_of(found: Mapping[str, Any]) -> list[Any]:
    """The faces of each picture, as they are. Raises ValueError when it is no FACE_LANDMARKS."""
    if not isinstance(found, Mapping) or "frames" not in found:
        raise ValueError(
            "face_landmarks is not what the host's MediaPipe Face Landmarker gives: it has no frames. "
            "Connect that node's output."
        )
    return list(found["frames"])


def check_size(found: Mapping[str, Any], images: torch.Tensor) -> None:
    """Raises ValueError when the landmarks were found in pictures of another size than `images`."""
    size = found.get("image_size")
    if size is None:
        return
    height, width = (int(v) for v in size)
    if (height, width) != tuple(images.shape[1:3]):
        raise ValueError(
            f"face_landmarks was found in a picture of {width} x {height}, but image is {images.shape[2]} x "
            f"{images.shape[1]}. Connect the image it was found in."
        )


def mesh_of(face: Mapping[str, Any]) -> torch.Tensor:
    """The points of one face, [468 or 478, 2 or 3] float64 in pixels. Raises ValueError for anything else."""
    points = torch.as_tensor(face.get("landmarks_xy", ()), dtype=torch.float64, device="cpu")
    if points.ndim != 2 or points.shape[0] not in MESHES or points.shape[1] not in (2, 3):
        raise ValueError(
            f"A face of face_landmarks has landmarks_xy of shape {list(points.shape)} instead of [478, 2]."
        )
    if not torch.isfinite(points).all():
        raise ValueError("A face of face_landmarks has landmarks at NaN or infinity.")
    return points


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
    box = given.get("bbox_xyxy")
    extent = _extent(points) if box is None else torch.as_tensor(box, dtype=torch.float32)
    return Face(extent, five_points(points), float(given.get("score", 1.0)), points)


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
