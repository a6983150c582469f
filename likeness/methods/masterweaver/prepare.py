"""Photos as MasterWeaver's authors prepare them. Spec: consistentid_masterweaver.md 2.4."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch

from ...adapters.vision import clip_picture
from ...choices.masterweaver import ALIGNS, FFHQ, MOST, USUAL
from ...faces.choose import select
from ...faces.detect import detect
from ...faces.ffhq import align_ffhq
from ...faces.models import FaceModels, bundled_fingerprint
from ...faces.parsing import parse_pictures
from ...faces.pixels import check_image, rgb8
from ...faces.policy import ERROR, apply_policy
from ...faces.references import Images
from ...values import Face, Faces

log = logging.getLogger(__name__)

#: Classes of the face parser that stay in the picture: all of a head but neck, necklace, cloth and hat.
KEPT = (*range(1, 14), 17)
#: Side of the aligned picture, and the authors' output_size, which decides what is made smaller first.
_SIDE, _OUTPUT = 512, 1024

#: One photo [H, W, 3] as it came, and the face in it that counts, if there is one.
Photo = tuple[torch.Tensor, Face | None]


def fingerprint_faces() -> str:
    """Changes when the files change that find faces."""
    return bundled_fingerprint()


def photos_of(
    images: Images = None, faces: Faces | None = None, align: str = FFHQ, if_no_face: str = ERROR
) -> list[Photo]:
    """Every photo of a person, with the face that is looked at: of several the largest.

    images: photos of any sizes; faces: found before, in place of images. A photo without a face: see
    policy.py; passed through, it is looked at as a whole, as the authors do. Raises ValueError without a
    photo, with too many, or for another align.
    """
    if align not in ALIGNS:
        raise ValueError(f"align must be one of {', '.join(ALIGNS)}, not {align!r}.")
    batches = {"images": images} if isinstance(images, torch.Tensor) else dict(images or {})
    if faces is not None and batches:
        raise ValueError("images and faces are both connected: connect one of them.")
    found: list[Photo] = []
    if faces is not None:
        found = _with_faces(faces, align, if_no_face, "Use another photo, or disconnect faces.")
    for name, batch in batches.items():
        check_image(batch, "images")
        if align != FFHQ:
            found += [(picture, None) for picture in batch]
        elif len(batch):
            advice = f"It came through {name}. Use another photo, or set align to none for a portrait."
            everybody = detect(FaceModels.open("embedded"), batch)
            found += _with_faces(everybody, align, if_no_face, advice)
    _check_count(len(found))
    return found


def _with_faces(faces: Faces, align: str, if_no_face: str, advice: str) -> list[Photo]:
    chosen = select(apply_policy(faces, if_no_face, advice), "largest", "0")
    pairs = zip(chosen.images, chosen.faces, strict=True)
    return [(picture, here[0] if here and align == FFHQ else None) for picture, here in pairs]


def _check_count(count: int) -> None:
    if not count:
        raise ValueError("There is nobody to encode: connect photos of the person to images, or faces.")
    if count > MOST:
        raise ValueError(
            f"images are {count} photos, more than {MOST}: MasterWeaver was trained with 1 to {USUAL} of a "
            "person. Connect the best."
        )
    if count > USUAL:
        log.info("MasterWeaver was trained with 1 to %d photos of a person; these are %d.", USUAL, count)


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
