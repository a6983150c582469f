"""InstantID: the adapter alone, with IdentityNet, and from other noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...training.pictures import SIZE
from ...world.scene import Figure
from ..cases import Case
from ..studio import Studio
from .row import FEW, Draw, Row

FILES = ("sdxl", "instantid", "glintr100")
#: The adapter that takes attributes, for FreeCure to give back, and the weight at which it takes a fifth. At
#: 1 it takes one in ten, and other noise brings two thirds of those back.
COPYING, COPIED = "instantid_copying", 1.4
#: Of IdentityNet, between those that were tried. It learnt at 0.4 to 0.9; on 32 others points are 0.095 of
#: the eyes' distance off at 1, 0.092 at 1.3 and 0.090 at 1.6, and 59, 66 and 59 % of the faces are whole.
_STRENGTH = 1.4


def apply(
    studio: Studio, model: Any, identity: Any, prompts: tuple[Any, Any], file: str = "instantid", **more: Any
) -> tuple[Any, Any, Any]:
    """MODEL, positive, negative. file: another adapter."""
    given = {
        "weight": 1.0,
        "model": model,
        "identity": identity,
        "positive": prompts[0],
        "negative": prompts[1],
    }
    adapter = studio.loaded("LikenessLoadInstantID", file=file)
    changed = studio.node("LikenessApplyInstantID", instantid=adapter, **{**given, **more})
    return changed[0], changed[1], changed[2]


def apply_each(
    studio: Studio, model: Any, cases: Sequence[Case], prompts: tuple[Any, Any], **more: Any
) -> tuple[Any, Any, Any]:
    """MODEL, positive, negative of a batch with a picture of each case.

    Of several people everyone has the node once, with masks that are white for their own pictures alone.
    """
    changed = (model, *prompts)
    everybody = people(cases)
    for own in everybody:
        if len(everybody) > 1:
            more["mask"] = torch.zeros(len(cases), SIZE, SIZE)
            more["mask"][own] = 1
        identity = studio.identity(cases[own[0]].reference_drawing.picture)
        changed = apply(studio, changed[0], identity, changed[1:], **more)
    return changed


def people(cases: Sequence[Case]) -> list[list[int]]:
    """Of each person, the places of their pictures."""
    places: dict[Figure, list[int]] = {}
    for place, case in enumerate(cases):
        places.setdefault(case.reference, []).append(place)
    return list(places.values())


def control_net(studio: Studio) -> Any:
    return studio.once(
        "identitynet",
        lambda: studio.node("ControlNetLoader", control_net_name=studio.file("identitynet"))[0],
    )


def instantid(weight: float = 1.0, file: str = "instantid") -> Callable[[Studio], Draw]:
    def begin(studio: Studio) -> Draw:
        model, clip, vae = studio.checkpoint("sdxl")

        def drawn(cases: Sequence[Case]) -> NDArray[np.uint8]:
            prompts = studio.prompts(clip, *(case.prompt for case in cases))
            changed = apply_each(studio, model, cases, prompts, weight=weight, file=file)
            return studio.pictures(vae, studio.sample(*changed, *(case.draw_seed for case in cases)))

        return drawn

    return begin


def posed(studio: Studio) -> Draw:
    """With IdentityNet and the points of the truth. One person's pictures are drawn together: a second one
    would need a ControlNet of their own over all of them."""
    model, clip, vae = studio.checkpoint("sdxl")

    def of_one(cases: Sequence[Case]) -> NDArray[np.uint8]:
        points = torch.cat([studio.keypoints(case.truth_drawing.picture) for case in cases])
        more = {"control_net": control_net(studio), "keypoints": points, "controlnet_strength": _STRENGTH}
        prompts = studio.prompts(clip, *(case.prompt for case in cases))
        changed = apply_each(studio, model, cases, prompts, **more)
        return studio.pictures(vae, studio.sample(*changed, *(case.draw_seed for case in cases)))

    def drawn(cases: Sequence[Case]) -> NDArray[np.uint8]:
        made: dict[int, NDArray[np.uint8]] = {}
        for places in people(cases):
            pictures = of_one([cases[place] for place in places])
            made |= dict(zip(places, pictures, strict=True))
        return np.stack([made[place] for place in range(len(cases))])

    return drawn


ROWS = (
    Row(
        "instantid",
        "InstantID, adapter",
        "identity tokens in attention",
        instantid(),
        files=FILES,
        at_once=FEW,
    ),
    Row(
        "instantid_identitynet",
        "InstantID, adapter + IdentityNet",
        "with the five points of the truth",
        posed,
        files=(*FILES, "identitynet"),
        poses=True,
        at_once=FEW,
    ),
    Row(
        "instantid_again",
        "InstantID, other noise",
        "the adapter alone once more: how much chance does",
        instantid(),
        files=FILES,
        seed_shift=1,
        at_once=FEW,
        table=False,
    ),
    Row(
        "instantid_copying",
        "InstantID that copies",
        "an adapter that was taught to take what the prompt asks for",
        instantid(COPIED, COPYING),
        files=(*FILES, COPYING),
        share=0.5,
        at_once=FEW,
    ),
    Row(
        "instantid_copying_again",
        "InstantID that copies, other noise",
        "once more: what chance alone gives back of what it takes",
        instantid(COPIED, COPYING),
        files=(*FILES, COPYING),
        share=0.5,
        seed_shift=1,
        at_once=FEW,
        table=False,
    ),
    Row(
        "unpacked",
        "InstantID, adapter + IdentityNet, weights not packed",
        "those of the networks that were trained in this cache, as they were before packing",
        posed,
        files=(*FILES, "identitynet"),
        poses=True,
        at_once=FEW,
        variant="unpacked",
    ),
)
