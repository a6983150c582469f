"""Putting a redrawn face back, without touching anybody else's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ..faces.masks import face_masks, soften
from ..faces.paste import paste_faces
from ..faces.resample import bounds, scale_of
from ..values import Crops, Face, Faces


def put_back(
    picture: torch.Tensor,
    drawn: torch.Tensor,
    crops: Crops,
    mask: torch.Tensor,
    kept: torch.Tensor | None,
    seam: float,
    colour_match: str,
) -> torch.Tensor:
    """A picture [1, H, W, C] with a drawn crop [1, S, S, 3] in its place; a new tensor.

    mask [1, S, S]: what of the crop is pasted. kept [H, W] from `off_limits`: where the picture stays as it
    is, bit for bit; the change fades out towards it. seam, colour_match: as in paste_faces.
    """
    pasted = paste_faces(picture, drawn, crops, seam, colour_match, mask)
    if kept is None:
        return pasted
    reach = max(1, round(seam * scale_of(crops.maps[0]) / crops.side))
    near = F.max_pool2d(kept[None, None], 2 * reach + 1, 1, reach)[0]
    weight = (1 - soften(near, reach)[0]).to(picture)[..., None]
    same = (kept > 0)[..., None].to(picture.device) | (pasted[0] == picture[0])
    mixed = picture[0] + weight * (pasted[0] - picture[0])
    mixed = torch.where(weight == 1, pasted[0], mixed)
    return torch.where(same, picture[0], mixed)[None]


def off_limits(
    picture: torch.Tensor,
    face: Face,
    others: Sequence[Face],
    crops: Crops,
    place: torch.Tensor | None = None,
) -> torch.Tensor | None:
    """Where nothing may change in reach of a crop, [H, W] float32 0 or 1; None when everything may.

    The box of each other face, and what is nearer to it than to the face itself in parts of each one's size:
    hair and shoulders too. But for what the outline of the face itself covers of that; where outlines overlap
    the other one's counts: whoever is not redrawn stays whole. place [H, W], a MASK of where the person
    belongs: all outside of it, but for the outline of the face itself.
    """
    left, top, right, bottom = bounds(crops.maps[0], (1, 1), crops.size)
    near = [other for other in others if _reaches(other, (left, top, right, bottom))]
    if not near and place is None:
        return None
    own = face_masks(Faces(picture, ((face,),)), "hull")[0] > 0
    kept = torch.zeros_like(own) if place is None else (place.to(own.device) <= 0) & ~own
    if near:
        theirs = torch.zeros_like(own)
        mine = _apart(face, crops.size)
        for other in near:
            theirs |= (_apart(other, crops.size) < mine).to(own.device)
        boxes, outlines = (
            face_masks(Faces(picture, (tuple(near),)), region)[0] > 0 for region in ("box", "hull")
        )
        kept = kept | ((theirs | boxes) & ~own) | outlines
    return kept.to(torch.float32)


def _apart(face: Face, size: tuple[int, int]) -> torch.Tensor:
    """How far each pixel of (width, height) is from the middle of a face, in parts of its size, squared:
    [H, W] float32."""
    x1, y1, x2, y2 = face.box.tolist()
    across, down = (
        ((torch.arange(length) + 0.5 - (low + high) / 2) / max(high - low, 1e-6)).square()
        for length, low, high in zip(size, (x1, y1), (x2, y2), strict=True)
    )
    return across[None] + down[:, None]


def _reaches(face: Face, area: tuple[int, int, int, int]) -> bool:
    """Whether a face, or hair and shoulders as far as half of its size, lie in an area."""
    x1, y1, x2, y2 = face.box.tolist()
    aside, above = (x2 - x1) / 2, (y2 - y1) / 2
    left, top, right, bottom = area
    return x1 - aside < right and x2 + aside > left and y1 - above < bottom and y2 + above > top
