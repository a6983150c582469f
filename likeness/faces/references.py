"""Photos of a person as FFHQ's are, and the part of them that ArcFace sees.

Spec: pva_freecure_emojidiff.md A.1 (a), A.4.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F

from ..values import Faces
from .choose import select
from .detect import detect
from .ffhq import align_ffhq
from .iresnet import SIZE
from .models import FaceModels
from .pixels import check_image
from .policy import ERROR, apply_policy

#: Side of an aligned reference, and of what the face is cut from.
REFERENCE, _WHOLE = 512, 256
_ROWS, _COLUMNS = slice(35, 223), slice(32, 220)

#: One batch [B, H, W, C], or several of different sizes by any names.
Images = torch.Tensor | Mapping[str, torch.Tensor] | None


def face_crop(pictures: torch.Tensor) -> torch.Tensor:
    """What the face encoder sees of aligned pictures [n, 3, S, S]: [n, 3, 112, 112]. Carries gradients."""
    whole = F.interpolate(pictures, (_WHOLE, _WHOLE), mode="bilinear", align_corners=True)
    return F.adaptive_avg_pool2d(whole[:, :, _ROWS, _COLUMNS], SIZE)


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
