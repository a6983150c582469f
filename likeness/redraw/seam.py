"""Putting a redrawn face back, without touching anybody else's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ..faces.mask_overlap import mask_overlaps
from ..faces.masks import face_masks
from ..faces.paste import paste_faces
from ..faces.resample import bounds, scale_of
from ..values import Crops, Face, Faces

#: Over how much of a face's height old and new are mixed, where it ends at what stays as it is.
_EDGE = 1 / 16


def put_back(
    picture: torch.Tensor,
    drawn: torch.Tensor,
    crops: Crops,
    mask: torch.Tensor,
    room: torch.Tensor | None,
    seam: float,
    colour_match: str,
) -> torch.Tensor:
    """A picture [1, H, W, C] with a drawn crop [1, S, S, 3] in its place; a new tensor.

    mask [1, S, S]: what of the crop is pasted. room [H, W] from `room_for`: how much of the change counts.
    seam, colour_match: as in paste_faces.
    """
    pasted = paste_faces(picture, drawn, crops, seam, colour_match, mask)
    if room is None:
        return pasted
    weight = room.to(picture)[..., None]
    mixed = picture[0] + weight * (pasted[0] - picture[0])
    mixed = torch.where(weight == 1, pasted[0], mixed)
    return torch.where((weight == 0) | (pasted[0] == picture[0]), picture[0], mixed)[None]


def room_for(
    picture: torch.Tensor,
    face: Face,
    others: Sequence[Face],
    crops: Crops,
    seam: float,
    place: torch.Tensor | None = None,
) -> torch.Tensor | None:
    """How much of a change within a crop counts, [H, W] float32 on the CPU; None when all of it does.

    0, where the picture stays as it is, bit for bit: the box of each other face, and what is nearer to it
    than to the face itself in parts of each one's size, hair and shoulders too; but for what the outline of
    the face itself covers of that. Where outlines overlap the other one's counts: whoever is not redrawn
    stays whole. place [H, W], a MASK (from 1/2 on) of where the person belongs: all outside of it, but for
    the outline of the face itself; a face that is not in it (it was followed out of it) may be drawn where it
    is. Around that the change fades out as wide as the seam, in the face itself over a few pixels.
    """
    left, top, right, bottom = bounds(crops.maps[0], (1, 1), crops.size)
    window = slice(top, bottom), slice(left, right)
    single = Faces(picture, ((face,),))
    own = _outline(single, window)
    kept = np.zeros_like(own)
    if place is not None and mask_overlaps(single, place)[0][0].counts:
        kept |= (place[window].to("cpu") < 0.5).numpy() & ~own
    for other in others:
        kept |= _nearer(other, face, window) & ~own
        if _reaches(other, window):
            there = Faces(picture, ((other,),))
            kept |= _outline(there, window, "box") & ~own | _outline(there, window)
    if not kept.any():
        return None
    reach = max(1, round(seam * scale_of(crops.maps[0]) / crops.side))
    high = float(face.box[3] - face.box[1])
    inside = _ramp(~(own & ~kept), min(2 * reach, max(1, round(_EDGE * high))))
    room = torch.ones(crops.size[::-1])
    room[window] = torch.from_numpy(np.maximum(_ramp(kept, 2 * reach), inside))
    return room


def _outline(faces: Faces, window: tuple[slice, slice], region: str = "hull") -> NDArray[np.bool_]:
    """Of the face, [h, w] of a window."""
    return (face_masks(faces, region)[0][window] > 0).cpu().numpy()


def _reaches(face: Face, window: tuple[slice, slice]) -> bool:
    x1, y1, x2, y2 = face.box.tolist()
    rows, columns = window
    return x1 < columns.stop and x2 > columns.start and y1 < rows.stop and y2 > rows.start


def _nearer(one: Face, than: Face, window: tuple[slice, slice]) -> NDArray[np.bool_]:
    """Which pixels of a window are nearer to the one than to the other, in parts of each one's size."""
    return _apart(one, window) < _apart(than, window)


def _apart(face: Face, window: tuple[slice, slice]) -> NDArray[np.floating]:
    """How far each pixel is from the middle of a face, in parts of its size, squared."""
    x1, y1, x2, y2 = face.box.tolist()
    down, across = (
        np.square((np.arange(part.start, part.stop) + 0.5 - (low + high) / 2) / max(high - low, 1e-6))
        for part, low, high in zip(window, (y1, x1), (y2, x2), strict=True)
    )
    return down[:, None] + across[None]


def _ramp(there: NDArray[np.bool_], reach: float) -> NDArray[np.float32]:
    """0 on what is there, smoothly to 1 so many pixels from it."""
    import cv2

    apart = cv2.distanceTransform((~there).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    part = np.minimum(apart / np.float32(reach), 1)
    return (part * part * (3 - 2 * part)).astype(np.float32)
