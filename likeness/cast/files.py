"""Casts among the host's identity files: Load Identity reads them too, one person at a time."""

from __future__ import annotations

from pathlib import Path

import torch

from ..faces.portraits import portraits
from ..identity import load_file, save_numbered
from ..values import Faces
from .gathering import members_of, numbered, people_in
from .value import Cast


def save_cast(
    cast: Cast, filename_prefix: str, faces: Faces | None = None
) -> tuple[Path, torch.Tensor | None]:
    """Write a cast under the next free number: where, and the pictures of its people [N, S, S, 3] or None.

    faces: whose pictures the file gets, one face for each member in their order. Places are of a picture, not
    of a person: they are not written. Raises ValueError for a prefix that is no file name, and
    other numbers of faces.
    """
    shown = None if faces is None else portraits(faces, len(cast.members))
    # One entry for each recogniser: a member's picture stands at each.
    entries = [n for n, member in enumerate(cast.members) for _ in member.identities]
    path = save_numbered(people_in(cast), filename_prefix, None if shown is None else shown[entries])
    return path, shown


def load_cast(name: str) -> tuple[Cast, torch.Tensor | None]:
    """Everybody in an identity file as a cast, and their pictures [N, H, W, 3] or None.

    People without a name are person 0, person 1, ... Raises FileNotFoundError with the folders searched,
    ValueError for a file that is none and people who are no cast.
    """
    people, pictures, file = load_file(name)
    named = numbered(people)
    try:
        cast = Cast(tuple(members_of(named)))
    except ValueError as error:
        raise ValueError(
            f"{file} holds no cast: {error} (Load Identity reads its people one by one.)"
        ) from error
    if not pictures:
        return cast, None
    first = [next(n for n, person in enumerate(named) if person.name == name) for name in cast.names]
    return cast, torch.cat([pictures[n] for n in first])
