"""Putting an identity into a MODEL and its conditionings. Spec: instantid_arc2face.md 1.3."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import torch

from ...adapters import Adapter, Tokens, attend
from ...attention.masks import PictureMask
from ...attention.use import Use
from ...control.identity import IdentityControl, check_identity_net
from ...values import Conditioning, Identity, recogniser_text

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Strengths:
    """How the identity is used; the ControlNet's strength; the negative's noise and its seed.

    empty: nobody's face (zeros) goes through the adapter instead, as in FreeCure's foundation.
    """

    use: Use
    control: float = 0.8
    negative_noise: float = 0.0
    seed: int = 0
    empty: bool = False


def apply(
    model: Any,
    adapter: Adapter,
    identity: Identity,
    positive: Conditioning,
    negative: Conditioning,
    strengths: Strengths,
    control_net: Any = None,
    keypoints: torch.Tensor | None = None,
) -> tuple[Any, Conditioning, Conditioning]:
    """(MODEL, positive, negative) with the identity in; what is given stays as it was.

    control_net is the IdentityNet, keypoints [B, H, W, 3] its picture. With weight 0, an empty window
    or an empty mask the MODEL comes back as it is. Raises ValueError, naming the input, for anything
    that does not fit.
    """
    use = strengths.use
    tokens = identity_tokens(adapter, identity, strengths.negative_noise, strengths.seed, strengths.empty)
    control = _control(control_net, keypoints, strengths, adapter.projector.token_width)
    model = attend(model, adapter, tokens, use)
    if use.idle:
        return model, positive, negative
    return model, *condition(positive, negative, control, tokens, use.picture_mask)


def identity_tokens(
    adapter: Adapter,
    identity: Identity,
    negative_noise: float = 0.0,
    seed: int = 0,
    empty: bool = False,
) -> Tokens:
    """One set of tokens, and those of nobody for negative prompts. Spec 1.3.1, 1.3.2, 1.2.4.

    The embedding goes in raw. The negative is the projected zero vector, or uniform noise of the
    given size (0 to 1) from its own seed. Several embeddings are not averaged here: their tokens
    stand side by side. empty: the zero vector in place of every embedding, FreeCure's foundation
    (pva_freecure_emojidiff.md B.1). Raises ValueError for an identity of another recogniser or width.
    """
    if identity.recogniser != adapter.takes:
        raise ValueError(
            f"identity was made with {recogniser_text(identity.recogniser)}, but {adapter.name} understands "
            f"only {recogniser_text(adapter.takes)}. Set recogniser to {adapter.takes} in Embed "
            "Faces."
        )
    embeddings = identity.embeddings if identity.weights is None else identity.mean[None]
    count, width = embeddings.shape
    if width != adapter.projector.embedding_width:
        raise ValueError(
            f"identity has vectors of {width} numbers; {adapter.name} takes "
            f"{adapter.projector.embedding_width}."
        )
    if empty:
        embeddings = torch.zeros_like(embeddings)
    nobody = torch.zeros(1, 1, width)
    if negative_noise:
        generator = torch.Generator().manual_seed(seed)
        nobody = negative_noise * torch.rand(nobody.shape, generator=generator)
    projected = adapter.projector(torch.cat([nobody, embeddings[:, None]]))
    negative, positive = projected[:1], projected[1:]
    return Tokens(positive.flatten(0, 1)[None], negative.repeat(1, count, 1), adapter.made)


def condition(
    positive: Conditioning, negative: Conditioning, control: Any, tokens: Tokens, mask: PictureMask | None
) -> tuple[Conditioning, Conditioning]:
    """Both prompts with the control on them, if there is one; else as they are.

    control has its hint set. mask: where the control applies. Spec 1.3.4, 1.3.6.
    """
    if control is None:
        return positive, negative
    chained: dict[Any, IdentityControl] = {}

    def with_control(conditioning: Conditioning) -> Conditioning:
        """One control per distinct previous one: the host batches prompts only when they share the object."""
        result = []
        for tensor, facts in conditioning:
            previous = facts.get("control")
            if previous not in chained:
                own = IdentityControl(control, tokens.both, mask)
                chained[previous] = own.set_previous_controlnet(previous)
            control_facts = {"control": chained[previous], "control_apply_to_uncond": False}
            result.append([tensor, {**facts, **control_facts}])
        return result

    return with_control(positive), with_control(negative)


def _control(control_net: Any, keypoints: torch.Tensor | None, strengths: Strengths, token_width: int) -> Any:
    """The host's control with its hint set, or None when the ControlNet has no part in this."""
    if control_net is None:
        if keypoints is not None:
            log.warning("InstantID: keypoints are connected but control_net is not; they have no effect.")
        return None
    check_identity_net(control_net, token_width)
    if keypoints is None:
        raise ValueError(
            "control_net is connected but keypoints is not: connect the picture of Draw Face Keypoints, "
            "or disconnect control_net."
        )
    return hint(control_net, keypoints, strengths.control, strengths.use, "keypoints")


def hint(control_net: Any, picture: torch.Tensor, strength: float, use: Use, name: str) -> Any:
    """The host's control with a picture of keypoints [B, H, W, 3] set, or None at strength 0.

    name is the picture's input, for messages. Raises ValueError for a picture that is none.
    """
    if picture.ndim != 4 or picture.shape[-1] < 3:
        raise ValueError(f"{name} must be an IMAGE [B, H, W, 3], not {list(picture.shape)}.")
    if not torch.isfinite(picture).all():
        raise ValueError(f"{name} holds NaN or infinity.")
    if tuple(picture.shape[1:3]) == (1024, 1024):
        log.info("InstantID tends to draw watermarks at exactly 1024x1024; 1016x1016 avoids them.")
    if strength == 0:
        return None
    return control_net.copy().set_cond_hint(picture[..., :3].movedim(-1, 1), strength, (use.start, use.end))
