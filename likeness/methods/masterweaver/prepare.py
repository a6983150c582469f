"""Photos as MasterWeaver's authors prepare them. Spec: consistentid_masterweaver.md 2.4."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch

from ...adapters.vision import clip_picture
from ...choices.faces import ERROR, FFHQ
from ...choices.masterweaver import MOST, USUAL
from ...faces.ffhq import align_ffhq
from ...faces.parsing import parse_pictures
from ...faces.photos import Photo
from ...faces.photos import photos_of as all_photos
from ...faces.pixels import rgb8
from ...faces.references import Images
from ...values import Faces

log = logging.getLogger(__name__)

#: Classes of the face parser that stay in the picture: all of a head but neck, necklace, cloth and hat.
KEPT = (*range(1, 14), 17)
#: Side of the aligned picture, and the authors' output_size, which decides what is made smaller first.
_SIDE, _OUTPUT = 512, 1024


def photos_of(
    images: Images = None, faces: Faces | None = None, align: str = FFHQ, if_no_face: str = ERROR
) -> list[Photo]:
    """Every photo of a person, see faces/photos.py. Raises ValueError, also for too many."""
    found = all_photos(images, faces, align, if_no_face)
    count = len(found)
    if count > MOST:
        raise ValueError(
            f"images are {count} photos, more than {MOST}: MasterWeaver was trained with 1 to {USUAL} of a "
            "person. Connect the best."
        )
    if count > USUAL:
        log.info("MasterWeaver was trained with 1 to %d photos of a person; these are %d.", USUAL, count)
    return found


def prepare(
    photos: list[Photo], labeller: Callable[[torch.Tensor], torch.Tensor] | None = None
) -> torch.Tensor:
    """The photos as CLIP sees them, [R, 224, 224, 3] uint8: aligned, and black where there is no head.

    labeller: a face parser, ready; None leaves the background. Raises ValueError for NaN, or a photo in
    which the parser finds no head.
    """
    prepared = []
    for place, (picture, face) in enumerate(photos):
        whole = torch.from_numpy(rgb8(picture[None], 0, "images"))
        if face is not None:
            sized = align_ffhq(whole / 255.0, face.keypoints, _SIDE, samples=_SIDE, shrink_for=_OUTPUT)
            whole = (sized * 255).round().to(torch.uint8)
        if labeller is not None:
            whole = _head(whole, labeller, place)
        prepared.append(torch.from_numpy(clip_picture(whole.numpy())))
    return torch.stack(prepared)


def _head(pixels: torch.Tensor, labeller: Any, place: int) -> torch.Tensor:
    """The picture with all else black, with a hard edge."""
    (parsed,) = parse_pictures(labeller, pixels[None] / 255.0)
    kept = (parsed & sum(1 << number for number in KEPT)) != 0
    if not kept.any():
        raise ValueError(
            f"face_parser finds no head in photo {place} (counted from 0), so all of it would be black. Use "
            "another photo, or disconnect face_parser."
        )
    return pixels * kept[..., None]
