"""Identities that go into one calculation: checked to fit, named by their sockets."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from ..values import Identity, recogniser_text


def of_one_recogniser(identities: Mapping[str, Identity]) -> dict[str, Identity]:
    """The identities in the order of their sockets (identity_2 before identity_10), checked to fit."""
    if not identities:
        raise ValueError("No identity is connected. Connect at least one, from Embed Faces or Load Identity.")
    names = sorted(identities, key=lambda name: (len(name), name))
    empty = [name for name in names if identities[name] is None]
    if empty:
        raise ValueError(f"{', '.join(empty)} holds nothing: the node before it gave no identity.")
    first = identities[names[0]]
    for name in names[1:]:
        other = identities[name]
        if other.recogniser != first.recogniser:
            raise ValueError(
                f"{names[0]} was made by the recogniser {recogniser_text(first.recogniser)}, {name} by "
                f"{recogniser_text(other.recogniser)}: their numbers mean different things. Embed both with "
                "the same recogniser."
            )
        if other.embeddings.shape[1] != first.embeddings.shape[1]:
            raise ValueError(
                f"{names[0]} holds vectors of {first.embeddings.shape[1]} numbers, {name} of "
                f"{other.embeddings.shape[1]}: one of them was not made by {first.recogniser}. Embed it "
                "again."
            )
    return {name: identities[name] for name in names}


def label(name: str, identity: Identity) -> str:
    """Where an identity came from, cut short, for the source text of what is made of it."""
    return f"[{textwrap.shorten(identity.source, 120, placeholder=' ...') or name}]"
