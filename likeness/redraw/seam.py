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
    others: torch.Tensor | None,
    seam: float,
    colour_match: str,
) -> torch.Tensor:
    """A picture [1, H, W, C] with a drawn crop [1, S, S, 3] in its place; a new tensor.

    mask [1, S, S]: what of the crop is pasted. others [H, W] from `others_near`: where the picture stays as
    it is, bit for bit; the change fades out towards it. seam, colour_match: as in paste_faces.
    """
    pasted = paste_faces(picture, drawn, crops, seam, colour_match, mask)
    if others is None:
        return pasted
    reach = max(1, round(seam * scale_of(crops.maps[0]) / crops.side))
    near = F.max_pool2d(others[None, None], 2 * reach + 1, 1, reach)[0]
    weight = (1 - soften(near, reach)[0]).to(picture)[..., None]
    kept = (others > 0)[..., None].to(picture.device) | (pasted[0] == picture[0])
    mixed = picture[0] + weight * (pasted[0] - picture[0])
    mixed = torch.where(weight == 1, pasted[0], mixed)
    return torch.where(kept, picture[0], mixed)[None]


def others_near(
    picture: torch.Tensor, face: Face, others: Sequence[Face], crops: Crops
) -> torch.Tensor | None:
    """Where other faces are in reach of a crop, [H, W] float32 0 or 1; None when none is.

    The box of each, but for what the outline of the face itself covers of it; where outlines overlap the
    other one's counts: whoever is not redrawn stays whole.
    """
    left, top, right, bottom = bounds(crops.maps[0], (1, 1), crops.size)
    near = [other for other in others if _reaches(other, (left, top, right, bottom))]
    if not near:
        return None
    own = face_masks(Faces(picture, ((face,),)), "hull")[0] > 0
    boxes, outlines = (
        face_masks(Faces(picture, (tuple(near),)), region)[0] > 0 for region in ("box", "hull")
    )
    return ((boxes & ~own) | outlines).to(torch.float32)


def _reaches(face: Face, area: tuple[int, int, int, int]) -> bool:
    x1, y1, x2, y2 = face.box.tolist()
    left, top, right, bottom = area
    return x1 < right and x2 > left and y1 < bottom and y2 > top
