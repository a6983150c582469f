"""The people of one identity file: who they are called, and which of them is meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..choices.people import ANY
from ..values import Identity, recogniser_text


@dataclass(frozen=True)
class Person:
    """An identity under a name, which may be empty: then the person is known by a number."""

    identity: Identity
    name: str = ""


def people_of(
    identity: Identity, others: Mapping[str, Identity] | None = None, names: str = ""
) -> list[Person]:
    """An identity and those of more sockets (identity_2 before identity_10), named by a list with commas.

    Raises ValueError for a list that does not name each of them, for a name that is a number, and for a
    name that two people of one recogniser would share.
    """
    others = others or {}
    order = sorted(others, key=lambda socket: (len(socket), socket))
    identities = [identity, *(others[socket] for socket in order)]
    if not names.strip():
        return [Person(one) for one in identities]
    given = [name.strip() for name in names.split(",")]
    if len(given) != len(identities):
        raise ValueError(
            f"names: {names!r} holds {len(given)}, but {len(identities)} identities are connected. Write one "
            "name for each, in the order of the sockets, with commas between, or none at all."
        )
    people = [Person(one, name) for one, name in zip(identities, given, strict=True)]
    taken: set[tuple[str, str]] = set()
    for person in people:
        check_name(person.name, names)
        key = person.name, person.identity.recogniser
        if key in taken:
            raise ValueError(
                f"names: two people are called {person.name!r}, both of the recogniser {key[1]}. Give each "
                "a name of their own."
            )
        taken.add(key)
    return people


def check_name(name: str, names: str) -> None:
    """Raises ValueError for a name that is empty, not printable, or a number. names: the list it is from."""
    if not name or not name.isprintable():
        raise ValueError(f"names: {name!r} in {names!r} is no name. Write letters, such as: anna, ben.")
    if _number(name) is not None:
        raise ValueError(
            f"names: {name!r} is a number, which Load Identity would take for a place in the file. Write "
            "letters, such as: anna, ben."
        )


def choose_person(
    people: Sequence[Person], wanted: str = "", recogniser: str = ANY, file: str = "file"
) -> int:
    """The place of the person meant by `wanted`: a name, a number (counted from 0), or nothing for the first.

    recogniser: only people of that one count; ANY for all. Raises ValueError naming who is there.
    """
    wanted = wanted.strip()
    place = _number(wanted)
    if not wanted:
        meant = list(range(len(people)))
    elif place is not None:
        meant = [place] if 0 <= place < len(people) else []
    else:
        meant = [n for n, person in enumerate(people) if person.name == wanted]
    if not meant:
        raise ValueError(
            f"person {wanted!r} is not in {file}, which holds {_listed(people)}. Write one of these names or "
            "numbers, or nothing for the first."
        )
    fitting = [n for n in meant if recogniser in (ANY, people[n].identity.recogniser)]
    if not fitting:
        who = f"of person {wanted!r}" if wanted else "of anybody"
        raise ValueError(
            f"{file} holds no identity {who} by the recogniser {recogniser_text(recogniser)}: it holds "
            f"{_listed(people)}. Make one from the photos with {recogniser} in Embed Faces, choose another "
            f"file, or set recogniser to {ANY}."
        )
    return fitting[0]


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _listed(people: Sequence[Person]) -> str:
    """`0 anna (glintr100), 1 (sface)`."""
    return ", ".join(
        " ".join(part for part in (str(n), person.name, f"({person.identity.recogniser})") if part)
        for n, person in enumerate(people)
    )


def described(people: Sequence[Person]) -> str:
    """Who a file holds, in a few words for a list of files."""
    return f"Identity: {_listed(people)}"
