"""Which parts of a face each pixel shows. Spec: pva_freecure_emojidiff.md B.1, B.2.

A parsed picture is int32 [H, W]: bit n is set where class n is seen (see labels.py), none where there is
only background. Several bits are set where two overlapping faces were parsed into different classes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch

from ..values import Face, Faces
from .draw import places_in
from .labels import BACKGROUND, NAMES
from .pixels import check_image, rgb8
from .policy import pictures

log = logging.getLogger(__name__)

#: Pictures [n, 3, S, S] float32, normalised -> class numbers [n, S, S] uint8; all on the CPU. S is 512.
Labeller = Callable[[torch.Tensor], torch.Tensor]
#: Told how many steps there will be, gives what is called after each.
Progress = Callable[[int], Callable[[], None]]

#: Side of what the network looks at, in pixels.
SIZE = 512
#: ImageNet's mean and deviation: what the network was trained with.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: Around a face's box, in parts of its longer side. The pictures the network was trained on show about 0.3;
#: more is taken for long hair and hats (a choice).
_MARGIN = 0.5


def unseen(total: int) -> Callable[[], None]:
    """Progress that nobody looks at."""
    return lambda: None


@torch.no_grad()
def label(network: Callable[[torch.Tensor], torch.Tensor], normalised: torch.Tensor) -> torch.Tensor:
    """The class with the highest score in each pixel, uint8: [n, 3, H, W] -> [n, H, W]."""
    return network(normalised).argmax(dim=1).to(torch.uint8)


def parse(
    labeller: Labeller,
    image: torch.Tensor | None = None,
    faces: Faces | None = None,
    progress: Progress = unseen,
) -> tuple[torch.Tensor, torch.Tensor]:
    """(the pictures [B, H, W, C] that were looked at, each one parsed: int32 [B, H, W] on the CPU).

    image alone: each picture is squeezed to 512 x 512 as a whole, as the authors do. faces: each face is cut
    out with a margin, parsed by itself and put back, in the pictures of image if that is connected too, else
    in those the faces were found in. Raises ValueError when there is neither, or they do not fit.
    """
    if faces is None:
        if image is None:
            raise ValueError("There is nothing to parse: connect image, or faces from Detect Faces.")
        return image, parse_pictures(labeller, image, progress)
    images = faces.images if image is None else image
    return images, parse_faces(labeller, images, faces, progress)


def parse_pictures(labeller: Labeller, images: torch.Tensor, progress: Progress = unseen) -> torch.Tensor:
    """Every picture of an IMAGE [B, H, W, C] as a whole -> int32 [B, H, W]. Raises ValueError."""
    check_image(images)
    if not len(images):
        raise ValueError("The input image holds no picture: there is nothing to parse.")
    step, parsed = progress(len(images)), []
    for index in range(len(images)):
        parsed.append(_bits(_labels(labeller, rgb8(images, index))))
        step()
    return torch.stack(parsed)


def parse_faces(
    labeller: Labeller, images: torch.Tensor, faces: Faces, progress: Progress = unseen
) -> torch.Tensor:
    """Each face in its picture of an IMAGE [B, H, W, C], all faces of a picture together -> int32 [B, H, W].

    Pixels in no face's square are background; a picture without a face is all background, and the log says
    so. Raises ValueError when faces and images do not fit.
    """
    check_image(images, "image")
    if not faces.faces:
        raise ValueError("There is nothing to parse: every picture was skipped for want of a face.")
    found: dict[int, tuple[Face, ...]] = dict.fromkeys(range(len(images)), ())
    # Faces that bring their own pictures are in the order of these; `indices` tells of the batch before.
    own = images is faces.images
    found.update(zip(range(len(images)) if own else places_in(images, faces), faces.faces, strict=True))
    _report_empty(faces, found, own)
    step = progress(faces.count)
    return torch.stack([_faces_of(labeller, images, index, found[index], step) for index in found])


def _faces_of(
    labeller: Labeller, images: torch.Tensor, index: int, found: Sequence[Face], step: Callable[[], None]
) -> torch.Tensor:
    height, width = images.shape[1:3]
    parsed = torch.zeros(height, width, dtype=torch.int32)
    pixels: Any = rgb8(images, index) if found else None
    for face in found:
        left, top, side = face_square(face)
        x1, y1, x2, y2 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
        if x1 < x2 and y1 < y2:
            inside = slice(y1 - top, y2 - top), slice(x1 - left, x2 - left)
            square = _mean_picture(side)
            square[inside] = pixels[y1:y2, x1:x2]
            parsed[y1:y2, x1:x2] |= _bits(_labels(labeller, square))[inside]
        step()
    return parsed


def face_square(face: Face) -> tuple[int, int, int]:
    """(left, top, side) in whole pixels of the square around a face that is parsed; it may reach outside."""
    x1, y1, x2, y2 = face.box.tolist()
    side = max(2, round(max(x2 - x1, y2 - y1) * (1 + 2 * _MARGIN)))
    return round((x1 + x2 - side) / 2), round((y1 + y2 - side) / 2), side


def _mean_picture(side: int) -> Any:
    """A square [side, side, 3] uint8 of the colour that means nothing to the network."""
    import numpy as np

    return np.full((side, side, 3), [round(255 * mean) for mean in _MEAN], dtype=np.uint8)


def _labels(labeller: Labeller, pixels: Any) -> torch.Tensor:
    """Class numbers [H, W] uint8 of a picture [H, W, 3] uint8 RGB, whatever its shape."""
    labels = squeezed_labels(labeller, pixels)
    height, width = pixels.shape[:2]
    return labels[_nearest(height)][:, _nearest(width)]


def squeezed_labels(labeller: Labeller, pixels: Any, side: int = SIZE) -> torch.Tensor:
    """Class numbers [side, side] uint8 of a whole picture [H, W, 3] uint8 RGB, squeezed to that square.

    side: other than 512 for methods whose authors look at more; see FaceParser.ready.
    """
    import numpy as np
    from PIL import Image

    # Pillow, as the authors: smaller pictures are averages, not samples, and rounded to 8 bits.
    squeezed = Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR)
    values = torch.from_numpy(np.array(squeezed)).to(torch.float32) / 255.0
    normalised = (values - torch.tensor(_MEAN)) / torch.tensor(_DEVIATION)
    return labeller(normalised.permute(2, 0, 1)[None].contiguous())[0]


def _nearest(size: int) -> torch.Tensor:
    """For each of `size` pixels, the one of 512 that its centre lies in."""
    return (torch.arange(size, dtype=torch.float64) + 0.5).mul_(SIZE / size).long()


def _bits(labels: torch.Tensor) -> torch.Tensor:
    one = torch.ones((), dtype=torch.int32)
    return torch.where(labels == BACKGROUND, 0 * one, one << labels.to(torch.int32))


def present(parsed: torch.Tensor) -> tuple[int, ...]:
    """The numbers of all classes but the background that are somewhere in parsed pictures."""
    return tuple(number for number in range(1, len(NAMES)) if bool((parsed & (1 << number)).any()))


def _report_empty(faces: Faces, found: dict[int, tuple[Face, ...]], own: bool) -> None:
    without = [faces.indices[place] if own else place for place, those in found.items() if not those]
    if without:
        log.warning("No face in %s: nothing is parsed there.", pictures(without))
