"""Named people, as they travel on a wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import torch

from ..choices.people import ORDER
from ..identity import check_name
from ..values import Identity, recogniser_text

#: A MASK [H, W] of the pictures' size, or a word of ORDER.
Place = torch.Tensor | str


@dataclass(frozen=True, eq=False)
class Member:
    """One person: a name, an identity by each of one or more recognisers, and maybe a place.

    Raises ValueError for a name that is none, an identity filed under another recogniser, and a place that
    is neither a mask [H, W] nor a word of ORDER.
    """

    name: str
    identities: Mapping[str, Identity] = field(default_factory=dict)
    place: Place | None = None

    def __post_init__(self) -> None:
        check_name(self.name, self.name)
        object.__setattr__(self, "identities", MappingProxyType(dict(self.identities)))
        if not self.identities:
            raise ValueError(
                f"{self.name} of the cast has no identity. Connect one, from Embed Faces or Load Identity."
            )
        for name, identity in self.identities.items():
            if name != identity.recogniser:
                raise ValueError(
                    f"{self.name} of the cast: an identity of {identity.recogniser} is filed under {name}."
                )
        if self.place is not None:
            _check_place(self.name, self.place)

    @property
    def recognisers(self) -> tuple[str, ...]:
        return tuple(self.identities)

    def __repr__(self) -> str:
        place = (
            self.place if isinstance(self.place, str) else "mask" if self.place is not None else "anywhere"
        )
        return f"Member({self.name}, {'+'.join(self.identities)}, {place})"


@dataclass(frozen=True, eq=False)
class Cast:
    """Several people, no two of one name, who can all be told by at least one recogniser.

    Raises ValueError for no people at all, two of one name, and people without a recogniser in common.
    """

    members: tuple[Member, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "members", tuple(self.members))
        if not self.members:
            raise ValueError(
                "The cast is empty: it holds nobody. Connect at least one identity to Cast, from Embed Faces "
                "or Load Identity."
            )
        taken: set[str] = set()
        for member in self.members:
            if member.name in taken:
                raise ValueError(
                    f"Two people of the cast are called {member.name!r}. Give each a name of their own."
                )
            taken.add(member.name)
        if not self.recognisers():
            told = "; ".join(f"{m.name} by {', '.join(m.recognisers)}" for m in self.members)
            raise ValueError(
                f"The people of the cast have no recogniser in common ({told}): their numbers mean different "
                "things. Embed all of them with the same recogniser; a name may have several identities."
            )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(member.name for member in self.members)

    def recognisers(self) -> tuple[str, ...]:
        """Those that every member has an identity of, in the order of the first member."""
        first, *others = self.members
        return tuple(name for name in first.recognisers if all(name in m.identities for m in others))

    def member(self, name: str) -> Member:
        """Who is called so. Raises ValueError naming who there is."""
        for member in self.members:
            if member.name == name:
                return member
        raise ValueError(f"Nobody in the cast is called {name!r}. There are: {', '.join(self.names)}.")

    def target(self, name: str, recogniser: str) -> Identity:
        """Somebody's identity by a recogniser. Raises ValueError for a name or recogniser they don't have."""
        member = self.member(name)
        if recogniser not in member.identities:
            raise ValueError(
                f"{name} of the cast has no identity by the recogniser {recogniser_text(recogniser)}, only "
                f"by {', '.join(member.recognisers)}. Add one of the same name to Cast, from Embed Faces "
                f"with {recogniser}."
            )
        return member.identities[recogniser]

    def __repr__(self) -> str:
        return f"Cast({', '.join(self.names)}; {'+'.join(self.recognisers())})"


def _check_place(name: str, place: Place) -> None:
    if isinstance(place, str):
        if place not in ORDER:
            raise ValueError(f"places: {place!r} of {name} is no place. There are: {', '.join(ORDER)}.")
        return
    if place.ndim != 2 or 0 in place.shape:
        raise ValueError(
            f"The place mask of {name} must be one mask [height, width], not {list(place.shape)}."
        )
    if not torch.isfinite(place).all():
        raise ValueError(f"The place mask of {name} holds NaN or infinity.")
