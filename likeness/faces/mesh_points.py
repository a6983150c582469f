"""Points and lines of MediaPipe's face mesh: 468 points, or 478 with the irises."""

from __future__ import annotations

from itertools import pairwise

import torch

#: Numbers of points of a mesh, without and with the irises.
MESHES = (468, 478)
_IRISES = (468, 473)
#: Corners of each eye. Left and right are those of the picture, of a face that stands upright.
_EYES = ((33, 133), (362, 263))
#: The tip of the nose; point 1 lies below it (0.13 against 0.12 eye distances from the detector's points).
_NOSE_TIP = 4
_MOUTH_CORNERS = (61, 291)

_OVAL_ABOVE = (132, 93, 234, 127, 162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389, 356, 454, 323)
_OVAL_BELOW = (323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132)
_LIPS = (
    (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
    (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
)
_NOSE = (
    (168, 6, 197, 195, 5, 4, 1, 19, 94, 2),
    (98, 97, 2, 326, 327, 294, 278, 344, 440, 275, 4, 45, 220, 115, 48, 64, 98),
)
#: The upper edges of the two eyebrows.
_BROWS = (70, 63, 105, 66, 107, 300, 293, 334, 296, 336)
#: Lines of each part, point after point. left and right are the person's own here, as MediaPipe has it.
_PARTS: dict[str, tuple[tuple[int, ...], ...]] = {
    "face_oval": (_OVAL_ABOVE, _OVAL_BELOW),
    "lips": _LIPS,
    "left_eye": (
        (263, 249, 390, 373, 374, 380, 381, 382, 362),
        (263, 466, 388, 387, 386, 385, 384, 398, 362),
    ),
    "right_eye": (
        (33, 7, 163, 144, 145, 153, 154, 155, 133),
        (33, 246, 161, 160, 159, 158, 157, 173, 133),
    ),
    "left_eyebrow": ((276, 283, 282, 295, 285), (300, 293, 334, 296, 336)),
    "right_eyebrow": ((46, 53, 52, 65, 55), (70, 63, 105, 66, 107)),
}
_IRIS_RINGS = ((469, 470, 471, 472, 469), (474, 475, 476, 477, 474))

#: The outline of a face without its forehead: cheeks and chin from the height of the eyes, and the brows.
BROWS_TO_CHIN = (127, 234, 93, *_OVAL_BELOW, 454, 356, *_BROWS)

Edges = frozenset[tuple[int, int]]


def five_points(mesh: torch.Tensor) -> torch.Tensor:
    """The detector's five points [5, 2] out of a mesh [468 or 478, 2 or 3], in the order of values.Face.

    An eye is the centre of its iris, or without irises the middle between its corners. Raises ValueError
    for another number of points.
    """
    if mesh.ndim != 2 or mesh.shape[0] not in MESHES or mesh.shape[1] not in (2, 3):
        raise ValueError(f"A face mesh has shape [468 or 478, 2 or 3], not {list(mesh.shape)}.")
    points = mesh[:, :2].to("cpu", torch.float32)
    corners = torch.tensor(_EYES)
    eyes = points[list(_IRISES)] if len(points) == MESHES[1] else points[corners].mean(dim=1)
    return torch.cat([eyes, points[[_NOSE_TIP, *_MOUTH_CORNERS]]])


def connection_sets(irises: bool) -> dict[str, Edges]:
    """Pairs of points that are joined in a drawing, under the names the host's nodes look for.

    Without irises their set is empty, since points 468 to 477 are not there. The web of 2556 triangles'
    sides (`tesselation`) is empty too: it comes only with the host's own file.
    """
    parts = {name: _edges(lines) for name, lines in _PARTS.items()}
    contours = frozenset().union(*parts.values())
    parts["irises"] = _edges(_IRIS_RINGS) if irises else frozenset()
    parts["nose"] = _edges(_NOSE)
    return {
        **parts,
        "tesselation": frozenset(),
        "contours": contours,
        "all": contours | parts["irises"] | parts["nose"],
    }


def _edges(lines: tuple[tuple[int, ...], ...]) -> Edges:
    return frozenset(edge for line in lines for edge in pairwise(line))
