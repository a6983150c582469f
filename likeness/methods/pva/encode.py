"""From photos to the vectors that PVA's tokens are made of. Spec: pva_freecure_emojidiff.md A.1 (a), A.4."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ...faces.references import Images, face_crop, references
from ...values import Identity
from .content import Base

#: Faces [n, 3, 112, 112], RGB from -1 to 1 -> raw vectors [n, 512], both on the CPU.
Encoder = Callable[[torch.Tensor], torch.Tensor]


def identify(encoder: Encoder, images: Images, align: bool, base: Base) -> Identity:
    """The person that all pictures show: one raw vector each, in their order. encoder: that of `base`.

    align: find the largest face of each picture and bring it into FFHQ's position; without, the pictures are
    so already. Raises ValueError for bad pictures, and naming those without a face.
    """
    aligned = references(images, align)
    vectors = encoder(face_crop(2 * aligned - 1))
    source = f"{len(aligned)} reference pictures, {'aligned' if align else 'as they are'}"
    if base.face_net is not None:
        source += f", by the face encoder of {base.name}"
    return Identity(vectors, base.recogniser, source=source)
