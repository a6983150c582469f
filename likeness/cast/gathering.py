"""A cast put together: identities under names, added to people who are there, with their places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from ..choices.people import ORDER
from ..identity import Person, people_of
from ..values import Identity
from .value import Cast, Member, Place


def gather(
    identities: Mapping[str, Identity] | None = None,
    names: str = "",
    places: str = "",
    masks: Mapping[str, torch.Tensor] | None = None,
    cast: Cast | None = None,
) -> Cast:
    """The people of `cast`, then those of the sockets identity_0, identity_1, ... under `names`.

    names: one for each identity, with commas; nothing: person 0, person 1, ... Several identities of one
    name are one member as several recognisers see them. places: words of ORDER, one for each member, with
    commas; nothing between commas is no place. masks: mask_0 [1, H, W] or [H, W] is the first member's place.
    Without either the people of `cast` keep theirs. Raises ValueError.
    """
    given = {socket: one for socket, one in (identities or {}).items() if one is not None}
    order = sorted(given, key=lambda socket: (len(socket), socket))
    if cast and names.strip() and not order:
        raise ValueError(
            f"names: {names!r} is for the identities connected here, but none is; the people of cast keep "
            "their names. Connect identities, or leave names empty."
        )
    people = (
        people_of(given[order[0]], {socket: given[socket] for socket in order[1:]}, names) if order else []
    )
    members = members_of([*people_in(cast), *numbered(people)] if cast else numbered(people))
    kept = {member.name: member.place for member in cast.members} if cast else {}
    wanted = _wanted(members, places, masks or {})
    return Cast(
        tuple(
            replace(member, place=kept.get(member.name) if place is None else place)
            for member, place in zip(members, wanted, strict=True)
        )
    )


def numbered(people: Sequence[Person]) -> list[Person]:
    """People without a name get one: person 0, person 1, ..., by their place."""
    return [replace(person, name=person.name or f"person {n}") for n, person in enumerate(people)]


def people_in(cast: Cast) -> list[Person]:
    """Everybody by each recogniser, as identity files hold them."""
    return [
        Person(identity, member.name) for member in cast.members for identity in member.identities.values()
    ]


def members_of(people: Sequence[Person]) -> list[Member]:
    """People of one name made one member, in the order in which the names come first.

    Raises ValueError for two people of one name and one recogniser.
    """
    named: dict[str, dict[str, Identity]] = {}
    for person in people:
        identities, recogniser = named.setdefault(person.name, {}), person.identity.recogniser
        if recogniser in identities:
            raise ValueError(
                f"Two people of the cast are called {person.name!r}, both of the recogniser {recogniser}. "
                "Give each a name of their own."
            )
        identities[recogniser] = person.identity
    return [Member(name, identities) for name, identities in named.items()]


def _wanted(members: Sequence[Member], places: str, masks: Mapping[str, torch.Tensor]) -> list[Place | None]:
    """The place of each member, from the words and the masks."""
    wanted: list[Place | None] = [None] * len(members)
    if places.strip():
        words = [word.strip().lower() for word in places.split(",")]
        if len(words) != len(members):
            raise ValueError(
                f"places: {places!r} holds {len(words)}, but the cast has {len(members)}: "
                f"{', '.join(member.name for member in members)}. Write a place for each, with commas "
                f"between ({', '.join(ORDER)}, or nothing for anywhere), or none at all."
            )
        wanted = [word or None for word in words]
    for socket, mask in masks.items():
        if mask is None:
            continue
        number = int(socket.rpartition("_")[2])
        if number >= len(members):
            raise ValueError(
                f"{socket} is connected, but the cast has {len(members)} people: mask_0 is the first one's."
            )
        name = members[number].name
        if wanted[number] is not None:
            raise ValueError(
                f"{name} has two places: {wanted[number]} and the mask {socket}. Leave one of them out."
            )
        if mask.ndim == 3 and len(mask) != 1:
            raise ValueError(
                f"{socket} holds {len(mask)} masks. A person of the cast has one place: give one mask."
            )
        wanted[number] = (mask[0] if mask.ndim == 3 else mask).to("cpu", torch.float32)
    return wanted
