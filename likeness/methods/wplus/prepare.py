"""Photos as the encoder sees them: in FFHQ's position, on white. Spec: fact_wplus.md B.5, adapters.md 3.2."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch

from ...choices.wplus import ALIGNS, FFHQ
from ...faces.choose import select
from ...faces.detect import detect
from ...faces.ffhq import align_ffhq, square
from ...faces.labels import BACKGROUND, NAMES
from ...faces.models import FaceModels, bundled_fingerprint
from ...faces.parsing import parse_pictures
from ...faces.pixels import check_image, rgb8
from ...faces.policy import ERROR, apply_policy
from ...faces.references import Images
from ...values import Face, Faces

log = logging.getLogger(__name__)

#: Side of the aligned picture, of its square as it is sampled, and of what the encoder sees.
_SIDE, _SAMPLES, _SEEN = 512, 4096, 256
#: A square that is not wider than this in the photo shows too little.
_NARROWEST = 160
MOST = 64
_CLOTH = NAMES.index("cloth")

#: One photo [H, W, 3] as it came, and the face in it that counts, if there is one.
Photo = tuple[torch.Tensor, Face | None]


def photos_of(
    images: Images = None, faces: Faces | None = None, align: str = FFHQ, if_no_face: str = ERROR
) -> list[Photo]:
    """Every photo of a person, with the face that is looked at: of several the largest.

    images: photos of any sizes; faces: found before, in place of images. A photo without a face: see
    policy.py; passed through, it is taken for an aligned portrait. Raises ValueError without a photo, with
    too many, for another align, or a face that is too small.
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
    if not found:
        raise ValueError("There is nobody to encode: connect photos of the person to images, or faces.")
    if len(found) > MOST:
        raise ValueError(f"images are {len(found)} photos, more than {MOST}: connect the best of them.")
    for place, (_, face) in enumerate(found):
        if face is not None:
            _check_size(face, place)
    return found


def fingerprint_faces() -> str:
    """Changes when what finds faces does."""
    return bundled_fingerprint()


def _with_faces(faces: Faces, align: str, if_no_face: str, advice: str) -> list[Photo]:
    chosen = select(apply_policy(faces, if_no_face, advice), "largest", "0")
    pairs = zip(chosen.images, chosen.faces, strict=True)
    return [(picture, here[0] if here and align == FFHQ else None) for picture, here in pairs]


def extent(keypoints: torch.Tensor) -> float:
    """How wide a face's square is in its photo, in pixels, once large photos are made smaller."""
    corner, across, down = square(keypoints)
    edges = torch.stack([corner, corner + across, corner + down, corner + across + down])[:, 0]
    shrink = max(int(float(across.norm()) / _SIDE * 0.5), 1)
    return float(edges.max() - edges.min()) / shrink


def _check_size(face: Face, place: int) -> None:
    wide = extent(face.keypoints)
    if wide <= _NARROWEST:
        raise ValueError(
            f"The face in photo {place} (counted from 0) is too small: with hair and shoulders it is "
            f"{wide:.0f} pixels wide, and the encoder needs more than {_NARROWEST}. Use a larger photo."
        )


def prepare(
    photos: list[Photo], labeller: Callable[[torch.Tensor], torch.Tensor] | None = None
) -> torch.Tensor:
    """The photos as the encoder sees them, [n, 3, 256, 256] float32, RGB from -1 to 1.

    labeller: a face parser, ready: background and clothes become white; None leaves them. Raises ValueError
    for NaN.
    """
    return torch.stack([_one(picture, face, labeller) for picture, face in photos])


def _one(picture: torch.Tensor, face: Face | None, labeller: Any) -> torch.Tensor:
    import numpy as np

    pixels = rgb8(picture[None], 0, "images")
    if face is None:
        pixels = _resized(pixels, _SIDE, "BILINEAR")
    else:
        whole = torch.from_numpy(pixels) / 255.0
        sized = align_ffhq(whole, face.keypoints, _SIDE, samples=_SAMPLES, shrink_for=_SIDE, pad=False)
        pixels = (sized * 255).round().to(torch.uint8).numpy()
    if labeller is None:
        return seen(pixels)
    (parsed,) = parse_pictures(labeller, torch.from_numpy(pixels)[None] / 255.0)
    away = ((parsed & ~(1 << BACKGROUND)) == 0) | ((parsed & (1 << _CLOTH)) != 0)
    return seen(pixels, away.numpy().astype(np.uint8) * 255)


def seen(pixels: Any, away: Any = None) -> torch.Tensor:
    """A portrait [512, 512, 3] uint8 as the encoder sees it: [3, 256, 256], RGB from -1 to 1.

    away: 255 where it is to become white, 0 elsewhere, uint8 [512, 512]; None for nowhere.
    """
    shown = torch.from_numpy(_resized(pixels, _SEEN, "BICUBIC")).to(torch.float32).movedim(-1, 0)
    shown = (shown - 127.5) / 127.5
    if away is None:
        return shown
    import cv2

    soft = _resized(cv2.GaussianBlur(away, (5, 5), 0), _SEEN, "BICUBIC")
    mask = torch.from_numpy(soft).to(torch.float32) / 255
    return shown * (1 - mask) + mask


def _resized(pixels: Any, side: int, how: str) -> Any:
    import numpy as np
    from PIL import Image

    if pixels.shape[:2] == (side, side):
        return pixels
    return np.array(Image.fromarray(pixels).resize((side, side), Image.Resampling[how]))
