"""What the nodes of the common InstantID pack did, out of our own parts.

One of its nodes detects, embeds, draws keypoints and applies; ours do one thing each. The maths is ours:
all layers see the identity, and no other ControlNet gets its tokens. Spec: instantid_arc2face.md 1.2.4,
1.3.2, 1.3.7, 1.4.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import torch

from ...adapters import Adapter, Tokens, attend
from ...attention.use import Use
from ...choices.instantid import AVERAGE, COMBINATIONS, NORM_AVERAGE
from ...control.identity import check_identity_net
from ...faces.choose import select
from ...faces.detect import detect
from ...faces.embed import identify
from ...faces.keypoints import keypoint_images
from ...faces.models import FaceModels
from ...faces.policy import SKIP, apply_policy
from ...values import Conditioning, Faces, Identity
from .apply import condition, hint, identity_tokens

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class FaceTokens:
    """An identity as InstantID's ControlNet takes it."""

    tokens: Tokens

    def __repr__(self) -> str:
        return f"FaceTokens({list(self.tokens.somebody.shape)})"


@dataclass(frozen=True)
class Settings:
    """noise: uniform noise in the negative's identity, 0 to 1. combine: one of COMBINATIONS."""

    ip_weight: float = 0.8
    cn_strength: float = 0.8
    start: float = 0.0
    end: float = 1.0
    noise: float = 0.0
    combine: str = AVERAGE


def largest_faces(models: FaceModels, images: torch.Tensor, name: str) -> Faces:
    """The largest face of each picture [B, H, W, C]; pictures without one are left out and logged.

    name is the input, for messages. Raises ValueError when no picture shows a face, MissingModel.
    """
    found = apply_policy(detect(models, images), SKIP, "")
    if not found.faces:
        raise ValueError(
            f"No face in {name}. Use a picture with a face that is seen from the front and turned upright, "
            "with some space around it."
        )
    return select(found, "largest", "0")


def keypoint_pictures(models: FaceModels, images: torch.Tensor) -> torch.Tensor:
    """The five points of the largest face of each picture, in the picture's size, [B, H, W, 3]."""
    return keypoint_images(largest_faces(models, images, "image"))


def combined(models: FaceModels, faces: Faces, recogniser: str, combine: str) -> Identity:
    """Who the faces show. concat keeps several apart: their tokens stand side by side.

    norm average is the old pack's: each of the numbers is divided by its length over the faces, not each
    vector by its own. Raises ValueError for another combination.
    """
    if combine not in COMBINATIONS:
        raise ValueError(f"combine_embeds must be one of {', '.join(COMBINATIONS)}, not {combine!r}.")
    identity = identify(models, faces, recogniser, "mean" if combine == AVERAGE else "none")
    vectors = identity.embeddings
    if combine != NORM_AVERAGE or len(vectors) == 1:
        return identity
    scaled = vectors / vectors.norm(dim=0, keepdim=True)
    return Identity(scaled.mean(dim=0, keepdim=True), recogniser, source=f"{identity.source}; {combine}")


def noise_seed(identity: Identity) -> int:
    """The old pack's seed of the negative's noise: always the same for one face."""
    return int(identity.embeddings.sum()) % 1_000_000_007


def tokens_of(adapter: Adapter, identity: Identity, noise: float) -> Tokens:
    """As spec 1.3.2 says of the old pack."""
    return identity_tokens(adapter, identity, noise, noise_seed(identity))


def patch_attention(
    model: Any, adapter: Adapter, models: FaceModels, image: torch.Tensor, use: Use, noise: float
) -> tuple[Any, FaceTokens]:
    """(MODEL with the face of `image` in its attention, the tokens for the ControlNet). Spec 1.3.3."""
    identity = combined(models, largest_faces(models, image, "image"), adapter.takes, AVERAGE)
    tokens = tokens_of(adapter, identity, noise)
    return attend(model, adapter, tokens, use), FaceTokens(tokens)


def add_control(
    tokens: FaceTokens,
    control_net: Any,
    image_kps: torch.Tensor,
    positive: Conditioning,
    negative: Conditioning,
    strength: float,
    use: Use,
) -> tuple[Conditioning, Conditioning]:
    """Both prompts with the ControlNet on them; at strength 0 as they are. Spec 1.3.4, 1.3.7.

    Of `use` the window and the mask count. The mask says where in the picture the positive prompt counts,
    as the old pack has it; it does not cut the ControlNet. Raises ValueError for another ControlNet or a
    picture that is none.
    """
    check_identity_net(control_net, tokens.tokens.somebody.shape[-1])
    control = hint(control_net, image_kps, strength, use, "image_kps")
    if control is None:
        return positive, negative
    positive, negative = condition(positive, negative, control, tokens.tokens, None)
    return masked(positive, use), negative


def masked(positive: Conditioning, use: Use) -> Conditioning:
    """The prompt, counting only where the mask is; without one, or with an empty one, as it is."""
    if use.picture_mask is None or use.picture_mask.empty:
        return positive
    place = {"mask": use.picture_mask.mask, "set_area_to_bounds": False}
    return [[tensor, {**facts, **place}] for tensor, facts in positive]


def apply(
    settings: Settings,
    model: Any,
    instantid: Adapter,
    insightface: FaceModels,
    control_net: Any,
    image: torch.Tensor,
    positive: Conditioning,
    negative: Conditioning,
    image_kps: torch.Tensor | None = None,
    mask: torch.Tensor | None = None,
) -> tuple[Any, Conditioning, Conditioning]:
    """(MODEL, positive, negative) with the largest face of `image` in, of several the combination.

    The pose is that of image_kps, else of the first picture of `image`. An image_kps that shows no face is
    taken for a drawing of keypoints. mask: where the identity and the positive prompt count. Raises
    ValueError naming the input for anything that does not fit.
    """
    use = Use(settings.ip_weight, settings.start, settings.end, mask, stretch=True)
    faces = largest_faces(insightface, image, "image")
    identity = combined(insightface, faces, instantid.takes, settings.combine)
    tokens = tokens_of(instantid, identity, settings.noise)
    keypoints = _first(faces) if image_kps is None else _drawn(insightface, image_kps)
    prompts = add_control(
        FaceTokens(tokens), control_net, keypoints, masked(positive, use), negative, settings.cn_strength, use
    )
    return attend(model, instantid, tokens, use), *prompts


def _first(faces: Faces) -> torch.Tensor:
    """The keypoints of the first picture's face."""
    if faces.indices[0] != 0:
        raise ValueError(
            "image shows no face in its first picture, which the keypoints are taken from. Put another "
            "picture first, or connect image_kps."
        )
    first = Faces(faces.images[:1], faces.faces[:1])
    return keypoint_images(first)


def _drawn(models: FaceModels, image_kps: torch.Tensor) -> torch.Tensor:
    """Keypoints of the faces in image_kps; without a face the pictures themselves, logged."""
    found = apply_policy(detect(models, image_kps), SKIP, "")
    if not found.faces:
        log.info("InstantID: image_kps shows no face, so it is taken for a drawing of keypoints.")
        return image_kps
    return keypoint_images(select(found, "largest", "0"))
