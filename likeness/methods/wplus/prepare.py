"""Photos as the encoder sees them: in FFHQ's position, on white. Spec: fact_wplus.md B.5, adapters.md 3.2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ...choices.faces import ERROR, FFHQ
from ...faces.ffhq import align_ffhq, square
from ...faces.labels import BACKGROUND, NAMES
from ...faces.parsing import parse_pictures
from ...faces.photos import Photo
from ...faces.photos import photos_of as all_photos
from ...faces.pixels import rgb8
from ...faces.references import Images
from ...values import Face, Faces

#: Side of the aligned picture, of its square as it is sampled, and of what the encoder sees.
_SIDE, _SAMPLES, _SEEN = 512, 4096, 256
#: A square that is not wider than this in the photo shows too little.
_NARROWEST = 160
MOST = 64
_CLOTH = NAMES.index("cloth")


def photos_of(
    images: Images = None, faces: Faces | None = None, align: str = FFHQ, if_no_face: str = ERROR
) -> list[Photo]:
    """Every photo of a person, see faces/photos.py. Raises ValueError, also for many, or a small face."""
    found = all_photos(images, faces, align, if_no_face)
    if len(found) > MOST:
        raise ValueError(f"images are {len(found)} photos, more than {MOST}: connect the best of them.")
    for place, (_, face) in enumerate(found):
        if face is not None:
            _check_size(face, place)
    return found


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
