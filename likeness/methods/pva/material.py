"""A person's photos made ready for tuning: latents, holes and vectors, of each as it is and mirrored.

Spec: pva_freecure_emojidiff.md A.5 "Loss", A.5.1.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ...choices.pva import WHOLE_FACE
from ...faces.choose import select
from ...faces.detect import detect
from ...faces.holes import CELL, boxes
from ...faces.models import FaceModels
from ...faces.policy import SKIP, apply_policy, pictures
from ...faces.references import face_crop
from .encode import Encoder
from .learning import View

log = logging.getLogger(__name__)

#: Pictures [n, H, W, 3] -> latents [n, C, h, w] at the size the network knows them.
Encode = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Material:
    """Rows come in pairs, a picture and its mirror image; float32 on the CPU.

    clean [2R, C, h, w]: latents. inpainting [2R, 1 + C, h, w]: the hole, 1 where to fill, and the latents of
    the picture with mid-grey in it. vectors [2R, D]: who it is, raw.
    """

    clean: torch.Tensor
    inpainting: torch.Tensor
    vectors: torch.Tensor

    @property
    def pictures(self) -> int:
        return len(self.clean) // 2

    @property
    def views(self) -> tuple[View, ...]:
        """The pictures as they are."""
        return tuple(View(place, False) for place in range(self.pictures))

    def person(self, views: Sequence[View]) -> torch.Tensor:
        """The vectors [n, D] of some views."""
        return self.vectors[[row(view) for view in views]]

    def apart(self) -> Material:
        """A copy that gradients may meet: what was made in inference mode may not."""
        return Material(self.clean.clone(), self.inpainting.clone(), self.vectors.clone())


def row(view: View) -> int:
    """Its place among the rows of Material."""
    return 2 * view.place + int(view.mirrored)


def prepare(portraits: torch.Tensor, encode: Encode, faces: Encoder, size: int) -> Material:
    """Aligned pictures [R, 3, S, S], RGB from 0 to 1, with a hole over each whole face.

    size: of a side of what the network learns to fill; who it is, is seen in the pictures as they are.
    Raises ValueError when no picture shows a face.
    """
    drawn = _of_size(portraits, size)
    holes = face_holes(drawn.movedim(1, -1))
    seen, both, holes = (torch.stack([x, x.flip(-1)], dim=1).flatten(0, 1) for x in (portraits, drawn, holes))
    grey = 0.5 + (both - 0.5) * (1 - holes[:, None])
    clean, masked = (encode(x.movedim(1, -1)).to("cpu", torch.float32) for x in (both, grey))
    hole = holes[:, None, ::CELL, ::CELL]
    return Material(clean, torch.cat([hole, masked], dim=1), faces(face_crop(2 * seen - 1)))


def _of_size(pictures: torch.Tensor, size: int) -> torch.Tensor:
    """[n, 3, size, size]."""
    if pictures.shape[-1] == size:
        return pictures
    return F.interpolate(pictures, (size, size), mode="bilinear", antialias=True)


def face_holes(images: torch.Tensor) -> torch.Tensor:
    """A box over the face in each of the pictures [R, S, S, 3] of one kind: [R, S, S], 1 in the box.

    One without a face gets the box of another, as aligned pictures have it in about the same place. Raises
    ValueError when none shows a face.
    """
    found = apply_policy(detect(FaceModels.open("embedded"), images), SKIP, "")
    if not found.count:
        raise ValueError(
            "images shows no face, so there is nothing to learn: connect photos of the person. Set align on "
            "for photos that are not aligned portraits."
        )
    made = boxes(found.images, WHOLE_FACE, faces=select(found, "largest", "0"))
    rows = [found.indices.index(n) if n in found.indices else 0 for n in range(len(images))]
    lost = [n for n in range(len(images)) if n not in found.indices]
    if lost:
        log.warning("Tune PVA: no face in %s; the box of another picture is taken.", pictures(lost))
    return made[rows]
