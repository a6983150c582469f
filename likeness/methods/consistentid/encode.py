"""A photo and a face as ConsistentID knows them. Spec: consistentid_masterweaver.md 1.3, 1.5."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from ... import host
from ...adapters import Tokens
from ...adapters.vision import clip_picture, picture_states, zero_state
from ...choices.consistentid import PARTS
from ...faces.parsing import SIZE, squeezed_labels
from ...faces.pixels import check_image, rgb8
from ...values import Identity, recogniser_text
from .adapter import ConsistentID
from .features import Features
from .parts import part_pictures

log = logging.getLogger(__name__)

#: What the parser looks at for SDXL.
_LARGE = 1280


def encode(
    adapter: ConsistentID,
    clip_vision: Any,
    image: torch.Tensor,
    face_parser: Any,
    identity: Identity,
    parts: Sequence[str] = PARTS,
) -> tuple[Features, torch.Tensor]:
    """(features, what CLIP saw: the whole photo and the parts found, [1 + N, 224, 224, 3]).

    image [1, H, W, C]: a photo of whom `identity` was made of. parts: those to look for. Raises ValueError,
    naming the input, for anything that does not fit.
    """
    face = _face(adapter, identity)
    picture = _photo(image)
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise ValueError(f"parts has no {unknown[0]!r}. There are: {', '.join(PARTS)}.")
    side = _LARGE if adapter.projector.shortcut else SIZE
    seen = {}
    if parts:
        seen = part_pictures(picture, squeezed_labels(face_parser.ready(side), picture, side), parts)
    _report(parts, seen)
    nothing = zero_state(clip_vision, adapter.projector.embedding_width, adapter.name)
    shown = torch.stack([torch.from_numpy(clip_picture(each)) for each in (picture, *seen.values())])
    states = torch.cat([nothing, picture_states(clip_vision, shown)])
    return features_of(adapter, face, states, tuple(seen)), shown.to(torch.float32) / 255.0


def features_of(
    adapter: ConsistentID, face: torch.Tensor, states: torch.Tensor, parts: Sequence[str]
) -> Features:
    """Features of a unit vector [1, 512] and of CLIP's states [2 + N, T, D].

    states: of the zero picture, of the whole photo, and of the N parts.
    """
    projected = adapter.projector(torch.cat([torch.zeros_like(face), face]), states[:2])
    assert adapter.facial is not None
    vectors = adapter.facial.vectors(torch.cat([states[:1], states[2:]]))
    tokens = Tokens(projected[1:], projected[:1], adapter.made)
    return Features(tokens, dict(zip(parts, vectors[1:], strict=True)), vectors[0], adapter.facial)


def _face(adapter: ConsistentID, identity: Identity) -> torch.Tensor:
    """Who it is as a unit vector [1, 512]."""
    if identity.recogniser != adapter.takes:
        raise ValueError(
            f"identity was made with {recogniser_text(identity.recogniser)}, but {adapter.name} understands "
            f"only {recogniser_text(adapter.takes)}. Set recogniser to {adapter.takes} in Embed Faces."
        )
    width, wanted = identity.embeddings.shape[1], adapter.projector.face_width
    if width != wanted:
        raise ValueError(f"identity has vectors of {width} numbers; {adapter.name} takes {wanted}.")
    return F.normalize(identity.mean[None], dim=-1)


def _photo(image: torch.Tensor) -> Any:
    """The one picture of an IMAGE, [H, W, 3] uint8."""
    check_image(image)
    if len(image) != 1:
        raise ValueError(
            f"image holds {len(image)} pictures; ConsistentID looks at one photo. Choose one with Image From "
            "Batch. Several photos of the person can go into identity."
        )
    return rgb8(image, 0)


def _report(parts: Sequence[str], seen: Sequence[str] | dict[str, Any]) -> None:
    missed = [part for part in parts if part not in seen]
    if missed and len(missed) == len(parts):
        said = "The parser sees no part of a face in image: the prompt will know none."
        log.warning("Encode ConsistentID: %s", said)
        host.running.tell(said)
    elif missed:
        log.info("Encode ConsistentID: not seen in image: %s.", ", ".join(missed))
