"""A face as an expression template: in the middle of a square, upright, black around it.

Spec: pva_freecure_emojidiff.md C.1, step 1. What the nodes show an E-adapter and what a trainer teaches it
with is made here. Places count pixel edges: pixel 0 spans 0 to 1.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from ..choices.emojidiff import SIDE
from ..values import Face
from .align import TEMPLATE as ARCFACE
from .align import invert, similarity, transform
from .crops import planes_of
from .masks import distance_to_polygon
from .mesh import landmarks
from .mesh_points import BROWS_TO_CHIN, MESHES, five_points
from .resample import resample, scaling
from .squares import STRAIGHT, face_map

SIZE = SIDE
#: Middle and side of the square in pixels of ArcFace's picture. Faces of real photos reach from 9 to 122
#: across and from 29 to 126 down, with closed mouths; the chin of an open one goes 20 lower.
_MIDDLE, _SIDE = torch.tensor([56.0, 80.0], dtype=torch.float64), 132.0
#: Where the five points come to lie, in parts of the square.
FIVE = (ARCFACE + 0.5 - _MIDDLE) / _SIDE + 0.5
#: How far the outline is moved outwards, in parts of its longer side.
_DILATION = 0.03
#: Surroundings of the box on each side when the face is not aligned, in parts of its longer side.
_MARGIN = 0.1


def template(
    picture: torch.Tensor, face: Face, size: int = SIZE, align: bool = True, mask_outside: bool = True
) -> tuple[torch.Tensor, torch.Tensor]:
    """The template [size, size, 3] float32 of a face of a picture [H, W, 3], and the map [2, 3] to it.

    align: turn, scale and shift the face so that its five points lie at FIVE; else the square around its box
    is cut out as it stands. mask_outside: black beyond the outline from brows to chin. The map takes places
    in the picture to pixels of the template; float64. Landmarks that the face carries are used, else the mesh
    finds them (see with_landmarks). Raises ValueError when the five points lie in one place.
    """
    face = with_landmarks(picture, face) if align or mask_outside else face
    if align:
        matrix = similarity(_five(face).to(torch.float64) + 0.5, FIVE * size)
    else:
        matrix = invert(face_map(face, _MARGIN, STRAIGHT)) * size
    cut = _cut(picture, matrix, size)
    if mask_outside:
        cut = cut * _inside(transform(matrix, outline(face)), size)[..., None]
    return cut, matrix


def template_of_box(
    picture: torch.Tensor, box: tuple[float, float, float, float], size: int = SIZE, mask_outside: bool = True
) -> tuple[torch.Tensor, torch.Tensor]:
    """The same for a face that no network finds: box is x, y, width, height in pixels of the picture.

    The square has the box's middle and longer side; mask_outside: black beyond the ellipse in the box.
    """
    x, y, width, height = box
    side = max(width, height)
    scale = size / side
    middle = torch.tensor([x + width / 2, y + height / 2], dtype=torch.float64)
    matrix = scaling(scale, *(size / 2 - scale * middle).tolist())
    cut = _cut(picture, matrix, size)
    if mask_outside:
        turn = torch.linspace(0, 2 * torch.pi, 65)[:-1]
        ring = torch.stack([turn.cos() * width, turn.sin() * height], dim=1) * scale / 2 + size / 2
        cut = cut * _cover(ring, size, 0.0)[..., None]
    return cut, matrix


def with_landmarks(picture: torch.Tensor, face: Face) -> Face:
    """The face with landmarks: its own, or the mesh's 468 in its picture [H, W, 3]."""
    if face.landmarks is not None:
        return face
    pixels = picture[..., :3].expand(-1, -1, 3).to("cpu", torch.float32) * 255
    return replace(face, landmarks=landmarks(pixels.round().clamp(0, 255).to(torch.uint8), face))


def outline(face: Face) -> torch.Tensor:
    """The convex outline [n, 2] float64 of a face from its brows to its chin, corner after corner.

    In pixels of the picture. Of a mesh (468 or 478 points) without its forehead; of other landmarks (the 68
    of the common kind begin at the brows) all are taken. Raises ValueError without landmarks.
    """
    import cv2

    if face.landmarks is None:
        raise ValueError(f"{face!r} has no landmarks: there is no outline.")
    points = face.landmarks
    if len(points) in MESHES:
        points = points[list(BROWS_TO_CHIN)]
    hull = cv2.convexHull(points[:, :2].to(torch.float32).contiguous().numpy())
    return torch.from_numpy(hull[:, 0]).to(torch.float64) + 0.5


def _five(face: Face) -> torch.Tensor:
    """The five points [5, 2] to align by: the mesh's, which keep to a face that is turned.

    Those of detectors do not: at 30 degrees YuNet's are 8 pixels off on a face of 110, the mesh's less than
    one. Eyes by their corners, not by their irises: a glance must not shift the face.
    """
    if face.landmarks is None or len(face.landmarks) not in MESHES:
        return face.keypoints
    return five_points(face.landmarks[: MESHES[0]])


def _inside(corners: torch.Tensor, size: int) -> torch.Tensor:
    extent = corners.amax(dim=0) - corners.amin(dim=0)
    return _cover(corners, size, _DILATION * float(extent.max()))


def _cover(corners: torch.Tensor, size: int, grow: float) -> torch.Tensor:
    """How much of each pixel [size, size] a convex polygon covers that is moved outwards by `grow`."""
    centres = torch.arange(size, dtype=torch.float32) + 0.5
    distance = distance_to_polygon(centres[None, :], centres[:, None], corners.to(torch.float32))
    return (0.5 + grow - distance).clamp(0, 1)


def _cut(picture: torch.Tensor, matrix: torch.Tensor, size: int) -> torch.Tensor:
    """What the map makes of a picture, [size, size, 3]; black where the picture ends."""
    back = invert(matrix)
    height, width = picture.shape[:2]
    cut = resample(planes_of(picture), back, (size, size))[0].clamp(0, 1).movedim(0, -1)
    centres = torch.arange(size, dtype=torch.float64) + 0.5
    down, across = torch.meshgrid(centres, centres, indexing="ij")
    seen = transform(back, torch.stack([across, down], dim=-1).flatten(0, 1))
    there = ((seen >= 0) & (seen <= torch.tensor([width, height]))).all(dim=1).view(size, size, 1)
    return (cut * there).contiguous()
