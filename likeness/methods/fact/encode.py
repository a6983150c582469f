"""From photos of somebody to the tokens that FACT draws them by. Spec: fact_wplus.md A.4, A.6."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import torch

from ...adapters import Adapter, Tokens
from ...choices.fact import MOST_PHOTOS, ZEROS
from ...faces.align import align
from ...faces.choose import select
from ...faces.detect import detect
from ...faces.models import FaceModels
from ...faces.parsing import Labeller, parse_faces
from ...faces.pixels import check_image, rgb8
from ...faces.policy import ERROR, apply_policy, pictures
from ...values import Face, Faces
from .adapter import identity_tokens
from .picture import head_mask, masked, masks_of
from .transface import SIZE

log = logging.getLogger(__name__)

#: Faces [R, 3, 112, 112], RGB from -1 to 1 -> local tokens [R, 144, 512]; both on the CPU.
Encoder = Callable[[torch.Tensor], torch.Tensor]


def encode(
    adapter: Adapter,
    encoder: Encoder,
    images: Mapping[str, torch.Tensor] | None = None,
    faces: Faces | None = None,
    labeller: Labeller | None = None,
    negative: str = ZEROS,
    aligned: bool = False,
) -> tuple[Tokens, torch.Tensor]:
    """(the tokens of the person that all pictures show, what TransFace sees: [R, 112, 112, 3], 0 to 1).

    images: photos, one person each, whose surest face is taken. faces: found before, in place of images; the
    surest of each picture. labeller: the face parser; with it all but the head becomes black, as the authors
    do. aligned: images are such crops already. Raises ValueError for bad pictures, and naming those without a
    face.
    """
    kind = getattr(encoder, "kind", adapter.takes)
    if kind != adapter.takes:
        raise ValueError(
            f"transface gives features of {kind}; {adapter.name} takes those of {adapter.takes}."
        )
    given = {name: batch for name, batch in (images or {}).items() if batch is not None and len(batch)}
    if faces is not None and given:
        raise ValueError("images and faces are both connected: connect one of them.")
    if faces is None and not given:
        raise ValueError("There is nobody to encode: connect photos of the person to images, or faces.")
    count = len(faces.faces) if faces is not None else sum(map(len, given.values()))
    if count > MOST_PHOTOS:
        raise ValueError(
            f"There are {count} photos, but at most {MOST_PHOTOS} make sense: each makes the attention of "
            "every layer longer. Three or four are plenty."
        )
    crops = _found(faces, labeller) if faces is not None else _searched(given, labeller, aligned)
    seen = torch.stack([torch.from_numpy(crop) for crop in crops]).to(torch.float32)
    local = encoder(((seen / 255 - 0.5) / 0.5).movedim(-1, 1).contiguous())
    return identity_tokens(adapter, local, negative), seen / 255


def _searched(images: Mapping[str, torch.Tensor], labeller: Labeller | None, aligned: bool) -> list[Any]:
    crops = []
    for name, batch in images.items():
        check_image(batch, name)
        crops += _as_they_are(batch, name) if aligned else _cut(batch, name, labeller)
    return crops


def _as_they_are(batch: torch.Tensor, name: str) -> list[Any]:
    height, width = batch.shape[1:3]
    if (height, width) != (SIZE, SIZE):
        raise ValueError(
            f"{name} is {width}x{height}, but aligned faces are {SIZE}x{SIZE}: set align on, or connect what "
            "Encode FACT gave as prepared."
        )
    return [rgb8(batch, index, name) for index in range(len(batch))]


def _cut(batch: torch.Tensor, name: str, labeller: Labeller | None) -> list[Any]:
    """The face of each picture; with a parser, where the detector sees it without all around the head."""
    advice = f"It came through {name}. Use another photo, or connect faces."
    found = detect(FaceModels.open("embedded"), batch, what=name)
    surest = select(apply_policy(found, ERROR, advice), "highest score", "0")
    if labeller is None:
        return _crops(surest)
    heads = _heads(surest, labeller)
    again = detect(FaceModels.open("embedded"), torch.stack([_image(pixels) for pixels in heads]))
    lost = [place for place, those in enumerate(again.faces) if not those]
    if lost:
        log.info("No face in the masked %s: its points are those of the whole picture.", pictures(lost))
    points = [
        max(those, key=lambda face: face.score) if those else before
        for those, (before,) in zip(again.faces, surest.faces, strict=True)
    ]
    return _aligned(heads, points)


def _found(faces: Faces, labeller: Labeller | None) -> list[Any]:
    """The surest face of each picture, by the points it was found with."""
    advice = "Lower min_score in Detect Faces, or use another photo."
    surest = select(apply_policy(faces, ERROR, advice), "highest score", "0")
    if labeller is None:
        return _crops(surest)
    return _aligned(_heads(surest, labeller), [face for (face,) in surest.faces])


def _crops(faces: Faces) -> list[Any]:
    whole = [rgb8(faces.images, index, "images") for index in range(len(faces.faces))]
    return _aligned(whole, [face for (face,) in faces.faces])


def _heads(faces: Faces, labeller: Labeller) -> list[Any]:
    """Each picture [H, W, 3] uint8 with black around the head of its one face."""
    parsed, heads = parse_faces(labeller, faces.images, faces), []
    for index in range(len(faces.faces)):
        head, pixels = head_mask(*masks_of(parsed[index])), rgb8(faces.images, index, "images")
        if not head.any():
            log.warning("The face parser sees no head in %s: it is not masked.", pictures([index]))
        heads.append(masked(pixels, head) if head.any() else pixels)
    return heads


def _aligned(whole: list[Any], faces: list[Face]) -> list[Any]:
    return [
        align(torch.from_numpy(pixels), face.keypoints).numpy()
        for pixels, face in zip(whole, faces, strict=True)
    ]


def _image(pixels: Any) -> torch.Tensor:
    return torch.from_numpy(pixels).to(torch.float32) / 255
