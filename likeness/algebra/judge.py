"""Which recogniser scores pictures, and what it compares them with.

A method is driven to please the recogniser whose vectors condition it, so that one's own score
flatters. Another has to see the person itself: vectors of two recognisers can't be compared.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch

from ..choices.people import OTHER
from ..faces.choose import select
from ..faces.detect import detect
from ..faces.embed import identify
from ..faces.models import FaceNetworks, first_there
from ..faces.policy import pictures
from ..values import Identity, recogniser_text

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Judge:
    """A recogniser, who the pictures should show in its eyes, and how much its word is worth."""

    recogniser: str
    target: Identity
    says: str


def appoint(
    models: FaceNetworks, identity: Identity, reference: torch.Tensor | None = None, wanted: str = OTHER
) -> Judge:
    """Who judges: `wanted`, a recogniser's name or OTHER.

    OTHER is the first recogniser of the pack, other than the identity's, whose file is there; it looks at
    `reference`, an IMAGE [B, H, W, C] of the person, at the largest face in each picture. Without either the
    identity's own judges, and a warning says so. Raises ValueError when none can, MissingModel.
    """
    if not models.recognisers:
        raise ValueError(
            f"The face models {models.name} have no recogniser, so nobody can judge. Connect others, from "
            "Load Face Models."
        )
    own = identity.recogniser
    if wanted != OTHER:
        return _chosen(models, identity, reference, wanted)
    others = [name for name in models.recognisers if name != own]
    if reference is None and own not in models.recognisers:
        raise ValueError(
            f"The identity was made by {recogniser_text(own)}, which the face pack {models.name} does not "
            f"have; it has {', '.join(others)}. Connect a photo of the person to reference, so that "
            f"{others[0]} can judge, or choose a pack with {own} in Load Face Models."
        )
    if not others:
        why = f"the face pack {models.name} has no other"
    elif reference is None:
        why = "no photo of the person is connected to reference"
    else:
        there = first_there(models, others)
        if there is not None:
            return _another(models, identity, reference, there)
        if own not in models.recognisers:
            models.recogniser(others[0])  # it is missing: the message says how to get it
        why = f"{', '.join(others)}, the other of the face pack {models.name}, is missing"
    return _same(models, identity, why)


def _chosen(models: FaceNetworks, identity: Identity, reference: torch.Tensor | None, wanted: str) -> Judge:
    if wanted not in models.recognisers:
        raise ValueError(
            f"recogniser is {wanted}, but the face pack {models.name} has: {', '.join(models.recognisers)}. "
            "Choose one of these, or another pack in Load Face Models."
        )
    if wanted == identity.recogniser:
        return _same(models, identity, "it was chosen in recogniser")
    if reference is None:
        raise ValueError(
            f"{wanted} can't judge by an identity of {identity.recogniser}: their numbers mean different "
            "things. Connect a photo of the person to reference."
        )
    return _another(models, identity, reference, wanted)


def _same(models: FaceNetworks, identity: Identity, why: str) -> Judge:
    models.recogniser(identity.recogniser)
    says = (
        f"Judge: {recogniser_text(identity.recogniser)}, the identity's own recogniser, because {why}. "
        "If the pictures were made with this identity, their scores flatter."
    )
    log.warning("Score Faces: %s", says)
    return Judge(identity.recogniser, identity, says)


def _another(models: FaceNetworks, identity: Identity, reference: torch.Tensor, name: str) -> Judge:
    target = photographed(models, reference, name, "reference")
    says = (
        f"Judge: {recogniser_text(name)}, another recogniser than the identity's, "
        f"{recogniser_text(identity.recogniser)}; it compares with the photos of reference."
    )
    return Judge(name, target, says)


def photographed(models: FaceNetworks, photos: torch.Tensor, recogniser: str, what: str) -> Identity:
    """Who the largest faces of an IMAGE [B, H, W, C] show, averaged. what: the input's name, for messages.

    Photos without a face are left out and named in the log. Raises ValueError when there is no face at all.
    """
    faces = detect(models, photos, what=what)
    empty = [place for place, found in zip(faces.indices, faces.faces, strict=True) if not found]
    if not faces.count:
        raise ValueError(
            f"The input {what} shows no face, so there is nobody to compare with. Connect a clear photo of "
            "the person."
        )
    if empty:
        log.info("Score Faces: no face in %s of %s: left out.", pictures(empty), what)
    return identify(models, select(faces, "largest", "0"), recogniser, "mean")
