"""Identity files among the host's models: written under the next number, found by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from ..choices.people import ANY
from ..values import Identity
from ..weights.write import write_numbered
from .files import load_people, save_people
from .people import Person, choose_person


def save_numbered(
    people: Sequence[Person], filename_prefix: str, pictures: torch.Tensor | None = None
) -> Path:
    """Write people under the next free number of the host's first identities folder, and say where.

    pictures: as in save_people. Raises ValueError for a prefix that is empty, leads out or is no file name.
    """
    from .. import host

    directory = host.files.identities_directory()
    return write_numbered(
        directory, filename_prefix, "identity", lambda path: save_people(people, path, pictures)
    )


def load_named(name: str, person: str = "", recogniser: str = ANY) -> tuple[Identity, torch.Tensor | None]:
    """Somebody from one of the host's identity files, and their picture [1, H, W, 3] if there is one.

    person, recogniser: as in choose_person. Raises FileNotFoundError with the folders searched, ValueError.
    """
    people, pictures, file = load_file(name)
    place = choose_person(people, person, recogniser, file)
    return people[place].identity, pictures[place] if pictures else None


def load_file(name: str) -> tuple[list[Person], list[torch.Tensor], str]:
    """Everybody in one of the host's identity files, their pictures or none (see load_people), and its name.

    Raises FileNotFoundError with the folders searched, ValueError.
    """
    from .. import host

    path = host.files.find_model("identities", name) if name else None
    if path is None:
        raise FileNotFoundError(
            f"There is no identity file {name!r} in {'; '.join(host.files.model_folders('identities'))}. "
            "Make one with Save Identity, or choose another and refresh the list with R."
        )
    return *load_people(path), Path(path).name


def fingerprint(name: str | None) -> str:
    """Changes when the file does, so that the host reads it again."""
    from .. import host

    return host.files.fingerprint("identities", name)
