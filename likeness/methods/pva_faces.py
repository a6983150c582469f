"""From photos to the vectors that PVA's tokens are made of. Spec: pva_freecure_emojidiff.md A.1 (a), A.4."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F

from ..faces.choose import select
from ..faces.detect import detect
from ..faces.ffhq import align_ffhq
from ..faces.iresnet import SIZE
from ..faces.models import FaceModels
from ..faces.pixels import check_image
from ..faces.policy import ERROR, apply_policy
from ..values import Faces, Identity
from .pva import RECOGNISER

#: Side of an aligned reference, and of what the face is cut from.
REFERENCE, _WHOLE = 512, 256
_ROWS, _COLUMNS = slice(35, 223), slice(32, 220)

#: Faces [n, 3, 112, 112], RGB from -1 to 1 -> raw vectors [n, 512], both on the CPU.
Encoder = Callable[[torch.Tensor], torch.Tensor]
#: One batch [B, H, W, C], or several of different sizes by any names.
Images = torch.Tensor | Mapping[str, torch.Tensor] | None


def face_crop(pictures: torch.Tensor) -> torch.Tensor:
    """What the face encoder sees of aligned pictures [n, 3, S, S]: [n, 3, 112, 112]. Carries gradients."""
    whole = F.interpolate(pictures, (_WHOLE, _WHOLE), mode="bilinear", align_corners=True)
    return F.adaptive_avg_pool2d(whole[:, :, _ROWS, _COLUMNS], SIZE)


def identify(encoder: Encoder, images: Images, align: bool) -> Identity:
    """The person that all pictures show: one raw vector each, in their order.

    align: find the largest face of each picture and bring it into FFHQ's position; without, the pictures are
    so already. Raises ValueError for bad pictures, and naming those without a face.
    """
    aligned = references(images, align)
    vectors = encoder(face_crop(2 * aligned - 1))
    how = "aligned" if align else "as they are"
    return Identity(vectors, RECOGNISER, source=f"{len(aligned)} reference pictures, {how}")


def references(images: Images, align: bool) -> torch.Tensor:
    """The pictures as the authors' are: [R, 3, 512, 512], RGB from 0 to 1, float32 on the CPU."""
    batches = {"images": images} if isinstance(images, torch.Tensor) else images or {}
    found = []
    for name, batch in batches.items():
        pictures = _checked(batch)
        found.append(_aligned(pictures, name) if align else _squares(pictures))
    if not sum(map(len, found)):
        raise ValueError("There is nobody to encode: connect photos of the person to images, or identity.")
    return torch.cat(found)


def _checked(batch: torch.Tensor) -> torch.Tensor:
    batch = check_image(batch, "images")[..., :3].to("cpu", torch.float32)
    if not torch.isfinite(batch).all():
        raise ValueError("The input images holds NaN or infinity: look at the node that made it.")
    return batch.expand(-1, -1, -1, 3) if batch.shape[-1] == 1 else batch


def _aligned(batch: torch.Tensor, name: str) -> torch.Tensor:
    if not len(batch):
        return torch.empty(0, 3, REFERENCE, REFERENCE)
    advice = f"It came through {name}. Use another photo, or set align off for aligned portraits."
    faces = largest_faces(batch, advice)
    aligned = [
        align_ffhq(picture, face.keypoints, REFERENCE)
        for picture, (face,) in zip(batch, faces.faces, strict=True)
    ]
    return torch.stack(aligned).movedim(-1, 1)


def largest_faces(batch: torch.Tensor, advice: str) -> Faces:
    """The largest face of each picture, found by the embedded detector. Raises ValueError without one."""
    found = detect(FaceModels.open("embedded"), batch)
    return select(apply_policy(found, ERROR, advice), "largest", "0")


def _squares(batch: torch.Tensor) -> torch.Tensor:
    height, width = batch.shape[1:3]
    if height != width:
        raise ValueError(
            f"images are {width}x{height}, but aligned portraits are square: set align on, or crop them as "
            "FFHQ and CelebA-HQ pictures are."
        )
    planes = batch.movedim(-1, 1)
    if height == REFERENCE:
        return planes
    return F.interpolate(planes, (REFERENCE, REFERENCE), mode="bilinear", antialias=True)
