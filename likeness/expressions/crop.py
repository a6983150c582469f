"""The square SMIRK looks at. Spec: instantid_arc2face.md 2.5.1, step 2."""

from __future__ import annotations

import math

import torch

from ..faces.align import face_angle, invert, transform
from ..faces.crops import planes_of
from ..faces.mesh import extent
from ..faces.mesh_points import five_points
from ..faces.resample import resample
from ..faces.squares import turned_square

#: Side of the crop in pixels; the square is so many times the mean of the face's width and height.
SIZE, _MARGIN = 224, 1.4
#: Degrees from which on a face is turned upright first, and the part of the picture that is turned with it.
_LEANS, _AROUND = 25.0, 2.0


def crop_face(picture: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """The face of a picture [H, W, 3] uint8 RGB, upright as it stands there -> [224, 224, 3] uint8 RGB.

    points [n, 2 or 3]: landmarks of the whole face in pixels; only their extent counts. Bilinear, black
    outside, cut off to whole numbers instead of rounded, as the reference does. Raises ValueError when the
    points have no extent.
    """
    across, down = points[:, 0].to("cpu", torch.float64), points[:, 1].to("cpu", torch.float64)
    left, right, top, bottom = (float(v) for v in (across.min(), across.max(), down.min(), down.max()))
    side = int((right - left + bottom - top) / 2 * _MARGIN)
    if side < 2:  # coordinates from 0 to 1 end here too
        raise ValueError(
            "The face's landmarks all lie in one place: there is no face to read. They must be in pixels."
        )
    # The corners of the square go to the centres of the crop's corner pixels.
    steps = torch.arange(SIZE, dtype=torch.float64) * (side / (SIZE - 1))
    rows = (top + bottom) / 2 - side / 2 + steps
    columns = (left + right) / 2 - side / 2 + steps
    return _between(_between(picture, columns, 1), rows, 0).to(torch.uint8)


def upright(picture: torch.Tensor, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A picture [H, W, 3] uint8 and the mesh of a face in it, turned until that stands, if it lies.

    SMIRK's pictures stand; a face that leans a little is left as the reference leaves it.
    """
    angle = face_angle(five_points(points))
    if abs(math.degrees(angle)) <= _LEANS:
        return picture, points
    centre, side = extent(points[:, :2].to(torch.float64), angle)
    size = max(2, round(side * _AROUND))
    square = turned_square(centre + 0.5, angle, size)
    back = torch.cat([square[:, :2] / size, square[:, 2:]], dim=1)
    turned = resample(planes_of(picture), back, (size, size))[0].round().clamp(0, 255)
    moved = transform(invert(back), points[:, :2].to(torch.float64) + 0.5) - 0.5
    return turned.to(torch.uint8).movedim(0, -1).contiguous(), moved


def _between(picture: torch.Tensor, places: torch.Tensor, dim: int) -> torch.Tensor:
    """The picture at fractional places along one axis, float64; black where it ends."""
    low = places.floor()
    shape = [-1 if axis == dim else 1 for axis in range(3)]
    share = (places - low).reshape(shape)
    before, after = (_at(picture, low.long() + step, dim, shape) for step in (0, 1))
    return (1 - share) * before + share * after


def _at(picture: torch.Tensor, index: torch.Tensor, dim: int, shape: list[int]) -> torch.Tensor:
    length = picture.shape[dim]
    inside = ((index >= 0) & (index < length)).reshape(shape)
    taken = picture.index_select(dim, index.clamp(0, length - 1))
    return taken.to(torch.float64) * inside
