"""Putting an identity into a MODEL and its conditionings. Spec: instantid_arc2face.md 1.3.3 to 1.3.7."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import torch

from ... import host
from ...attention.adds import AddedAttention
from ...attention.calls import ROLE, Role
from ...attention.engine import inject
from ...attention.masks import PictureMask
from ...attention.sites import Site
from ...attention.use import Use, kind_of
from ...control.identity import IdentityControl, check_identity_net
from ...values import Identity
from .adapter import NEEDS, InstantID, identity_tokens

log = logging.getLogger(__name__)

#: CONDITIONING of the host: a list of [tensor, dict].
Conditioning = list[Any]
#: A network's attention sites, and the number in the adapter of each.
Layers = tuple[tuple[Site, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Settings:
    """Strength, time and place of the identity; the ControlNet's strength; the negative's noise.

    empty: nobody's face (zeros) goes through the adapter instead, as in FreeCure's foundation.
    """

    use: Use
    controlnet_strength: float = 0.8
    negative_noise: float = 0.0
    seed: int = 0
    empty: bool = False


def apply(
    model: Any,
    adapter: InstantID,
    identity: Identity,
    positive: Conditioning,
    negative: Conditioning,
    settings: Settings,
    control_net: Any = None,
    keypoints: torch.Tensor | None = None,
) -> tuple[Any, Conditioning, Conditioning]:
    """(MODEL, positive, negative) with the identity in; what is given stays as it was.

    control_net is the IdentityNet, keypoints [B, H, W, 3] its picture. With weight 0, an empty window
    or an empty mask the MODEL comes back as it is. Raises ValueError, naming the input, for anything
    that does not fit.
    """
    use = settings.use
    layers = match_layers(model, adapter)
    tokens = identity_tokens(adapter, identity, settings.negative_noise, settings.seed, settings.empty)
    control = _control(control_net, keypoints, settings, adapter.projector.token_width)
    if use.nothing("Apply InstantID"):
        return model, positive, negative
    model = attend(model, adapter, layers, tokens, use)
    if use.weight == 0 and control is None:
        return model, positive, negative
    return model, *condition(positive, negative, control, tokens, use.where)


def match_layers(model: Any, adapter: InstantID) -> Layers:
    """The attention sites of a MODEL and their numbers in the adapter; ValueError when they don't fit."""
    return adapter.layers.match(model.model.diffusion_model, kind_of(model), NEEDS)


def attend(model: Any, adapter: InstantID, layers: Layers, tokens: torch.Tensor, use: Use) -> Any:
    """MODEL whose attention sees the tokens [2, T, D] (negative, positive); as it is at weight 0."""
    if use.weight == 0:
        return model
    sites, numbers = layers
    kept = adapter.layers.keys_values(tokens, numbers)
    source = AddedAttention(kept, use.weight, use.window, use.where, host.attention.narrow_attention)
    return inject(model, sites, source, host.attention.base_attention)


def condition(
    positive: Conditioning,
    negative: Conditioning,
    control: Any,
    tokens: torch.Tensor,
    mask: PictureMask | None,
) -> tuple[Conditioning, Conditioning]:
    """Both prompts with their roles noted and, when there is a control, with it on them.

    control has its hint set. mask: where the control applies. Spec 1.3.4, 1.3.6.
    """
    chained: dict[Any, IdentityControl] = {}
    return (
        _condition(positive, "positive", control, tokens, mask, chained),
        _condition(negative, "negative", control, tokens, mask, chained),
    )


def _control(control_net: Any, keypoints: torch.Tensor | None, settings: Settings, token_width: int) -> Any:
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
    return hint(control_net, keypoints, settings.controlnet_strength, settings.use, "keypoints")


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


def _condition(
    conditioning: Conditioning,
    role: Role,
    control: Any,
    tokens: torch.Tensor,
    mask: PictureMask | None,
    chained: dict[Any, IdentityControl],
) -> Conditioning:
    """The conditioning with its role noted and our control on it.

    One control per distinct previous one: the host batches positive and negative only when they
    share the same object.
    """
    result = []
    for tensor, facts in conditioning:
        facts = {**facts, ROLE: role}
        if control is not None:
            previous = facts.get("control")
            if previous not in chained:
                own = IdentityControl(control, tokens, mask)
                chained[previous] = own.set_previous_controlnet(previous)
            facts |= {"control": chained[previous], "control_apply_to_uncond": False}
        result.append([tensor, facts])
    return result
