"""The holes PVA was trained and measured with. Spec: pva_freecure_emojidiff.md A.3 point 5, A.5 "Masks".

A hole is 1. Its edges lie on the latent's grid of 8 pixels as the authors' do: each cell is what its first
pixel is. So the host's own resizing, which averages, gives what the authors' nearest gives.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from ..choices.pva import BRUSH, EYES_AND_BROWS, HOLES, LOWER_FACE, OWN, WHOLE_FACE
from ..values import Face, Faces
from .draw import places_in
from .masks import soften
from .mesh import POINTS, landmarks
from .pixels import check_image, rgb8
from .references import largest_faces

CELL = 8
#: Of the mesh's 468 points, those that lie where the 68 of the authors' landmarks do.
_JAW = (234, 93, 132, 58, 172, 136, 150, 152, 379, 365, 397, 288, 361, 323, 454)
_BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
_EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
#: The extremes of all 68 lie on the jaw, which for this box has its two upper ends, and the brows.
_JAW_ENDS = (127, 356)
BOXES: Mapping[str, tuple[int, ...]] = {
    LOWER_FACE: _JAW,
    EYES_AND_BROWS: _BROWS + _EYES,
    WHOLE_FACE: _JAW + _JAW_ENDS + _BROWS,
}
_LARGER, _SMALLEST = 1.2, 0.2

#: The brush: strokes of a few corners, turning by about 72 degrees; lengths and widths in parts of the
#: picture's diagonal.
_STROKES, _CORNERS, _TURN, _TURN_SPREAD = (2, 5), (4, 12), 2 * math.pi / 5, 2 * math.pi / 15
_LENGTH, _WIDTH = 1 / 8, (0.03, 0.11)


def holes(
    images: torch.Tensor,
    region: str,
    swap_sides: bool = False,
    seed: int = 0,
    faces: Faces | None = None,
    mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """One hole per picture of an IMAGE [B, H, W, C]: [B, H, W] float32 on the CPU, 0 or 1.

    region: a name of HOLES. swap_sides: boxes as high as they should be wide, and the other way round, as
    the authors' code has them. seed: of the brush. faces: whose boxes, all of a picture together; without,
    the largest face of each is looked for. mask [1 or B, H, W]: added to the region. Raises ValueError.
    """
    check_image(images)
    if region not in HOLES:
        raise ValueError(f"region must be one of {', '.join(HOLES)}, not {region!r}.")
    if region == OWN and mask is None:
        raise ValueError(f"region is {OWN!r}, but mask is not connected: connect one, or choose a region.")
    count, height, width = images.shape[:3]
    if region == BRUSH:
        made = torch.stack([strokes(height, width, seed + n) for n in range(count)])
    elif region == OWN:
        made = torch.zeros(count, height, width)
    else:
        made = boxes(images, region, swap_sides, faces)
    if mask is not None:
        made = torch.maximum(made, _fitting(mask, made))
    return snap(made)


def snap(masks: torch.Tensor) -> torch.Tensor:
    """Masks [B, H, W] with every cell of the latent's grid all 0 or all 1, as its first pixel is.

    Of sizes that are no multiple of 8 the host takes the middle; the rest stays as it is.
    """
    hard = (masks > 0.5).to(torch.float32)
    (top, height), (left, width) = (((s % CELL) // 2, s // CELL * CELL) for s in masks.shape[-2:])
    inside = hard[:, top : top + height, left : left + width]
    cells = inside[:, ::CELL, ::CELL].repeat_interleave(CELL, 1).repeat_interleave(CELL, 2)
    inside.copy_(cells)
    return hard


def blend(masks: torch.Tensor, feather: int) -> torch.Tensor:
    """How much of the drawn picture to show: all of it in the hole, none `feather` pixels from it."""
    if feather <= 0:
        return masks
    reach = (feather + 1) // 2
    grown = torch.nn.functional.max_pool2d(masks[:, None], 2 * reach + 1, 1, reach)[:, 0]
    return soften(grown, feather - reach) if feather > reach else grown


def boxes(
    images: torch.Tensor, region: str, swap_sides: bool = False, faces: Faces | None = None
) -> torch.Tensor:
    """As `holes` for a region of BOXES, to the pixel instead of on the latent's grid."""
    advice = "Draw a mask by hand, or use a picture with a clear face."
    found = largest_faces(images, advice) if faces is None else faces
    made = torch.zeros(images.shape[:3])
    for place, those in zip(places_in(images, found), found.faces, strict=True):
        for face in those:
            top, left, bottom, right = box(
                _mesh(images, place, face)[list(BOXES[region])], made[place], swap_sides
            )
            made[place, top:bottom, left:right] = 1
    empty = [place for place in range(len(made)) if not made[place].any()]
    if empty:
        raise ValueError(f"faces holds no face in picture {empty[0]} (counted from 0). {advice}")
    return made


def _mesh(images: torch.Tensor, place: int, face: Face) -> torch.Tensor:
    """The points [468 or more, 2] of a face, in pixels."""
    if face.landmarks is not None and len(face.landmarks) >= POINTS:
        return face.landmarks[:, :2]
    return landmarks(torch.from_numpy(rgb8(images, place)), face)


def box(points: torch.Tensor, picture: torch.Tensor, swap_sides: bool) -> tuple[int, int, int, int]:
    """Top, left, bottom, right around points [n, 2] in a picture [H, W]; sides grown by a fifth.

    No side is less than a fifth of the picture's.
    """
    height, width = picture.shape
    low, high = points.amin(dim=0).tolist(), points.amax(dim=0).tolist()
    wide = int(max(_LARGER * (high[0] - low[0]), _SMALLEST * width))
    tall = int(max(_LARGER * (high[1] - low[1]), _SMALLEST * height))
    if swap_sides:
        wide, tall = tall, wide
    x, y = (low[0] + high[0]) / 2, (low[1] + high[1]) / 2
    top, bottom = max(int(y - tall / 2), 0), min(int(y + tall / 2), height)
    left, right = max(int(x - wide / 2), 0), min(int(x + wide / 2), width)
    return top, left, bottom, right


def strokes(height: int, width: int, seed: int) -> torch.Tensor:
    """Random brush strokes over a picture, [height, width], 1 where the brush was.

    Zigzag lines of changing width, as in free-form inpainting (Yu et al. 2019).
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    diagonal, made = math.hypot(height, width), torch.zeros(height, width)
    x, y = torch.arange(width) + 0.5, torch.arange(height)[:, None] + 0.5
    for _ in range(round(draw(*_STROKES))):
        here, heading = (draw(0, width), draw(0, height)), draw(0, 2 * math.pi)
        radius = diagonal * draw(*_WIDTH) / 2
        for corner in range(round(draw(*_CORNERS))):
            turn = _TURN + draw(-_TURN_SPREAD, _TURN_SPREAD)
            heading += turn if corner % 2 else -turn
            length = diagonal * _LENGTH * draw(0.5, 1.5)
            there = (
                min(max(here[0] + length * math.cos(heading), 0), width),
                min(max(here[1] + length * math.sin(heading), 0), height),
            )
            made[_distance(x, y, here, there) <= radius] = 1
            here = there
    return made


def _distance(
    x: torch.Tensor, y: torch.Tensor, a: tuple[float, float], b: tuple[float, float]
) -> torch.Tensor:
    """From points (x, y broadcast) to the line between a and b."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    along = (((x - a[0]) * dx + (y - a[1]) * dy) / max(dx * dx + dy * dy, 1e-12)).clamp(0, 1)
    return torch.hypot(x - a[0] - along * dx, y - a[1] - along * dy)


def _fitting(mask: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    mask = mask.to("cpu", torch.float32)
    mask = mask[None] if mask.ndim == 2 else mask
    fits = mask.ndim == 3 and mask.shape[1:] == wanted.shape[1:] and len(mask) in (1, len(wanted))
    if not fits or not torch.isfinite(mask).all():
        raise ValueError(
            f"mask is {list(mask.shape)}, but the pictures are {list(wanted.shape)}: give one mask, or one "
            "per picture, drawn on the picture and without NaN."
        )
    return mask
