"""Who is in a data set: a folder per person.

```
people/anna/0001.jpg, people/anna/0002.jpg, people/ben/...
people/captions.json     {"anna/0001.jpg": "a smiling woman with ...", ...}     may be left out
```
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .captions import read_captions
from .pictures import pictures_in

log = logging.getLogger(__name__)

#: PVA's authors shuffle with this seed; of which generator is not known: here it is Python's.
SPLIT_SEED = 2022


@dataclass(frozen=True)
class Person:
    """One identity and all pictures of it."""

    name: str
    pictures: tuple[Path, ...]


@dataclass(frozen=True)
class People:
    """Who is learnt from and who is only looked at. root: what the names of pictures are relative to."""

    root: Path
    train: tuple[Person, ...]
    validation: tuple[Person, ...]
    captions: Mapping[str, str]

    def name(self, picture: Path) -> str:
        """A picture's name in captions and files: relative to the data set's folder."""
        return picture.relative_to(self.root).as_posix()

    def caption(self, picture: Path) -> str:
        """Its caption, or nothing."""
        return self.captions.get(self.name(picture), self.captions.get(picture.name, ""))

    @property
    def pictures(self) -> list[Path]:
        return [path for person in (*self.train, *self.validation) for path in person.pictures]


def split(
    people: Iterable[Person], test_share: float, validation_share: float
) -> tuple[list[Person], list[Person]]:
    """(to learn from, for validation); what is for tests is left out. 1,963 people are 588, 196, 1,179."""
    shuffled = sorted(people, key=lambda person: person.name)
    random.Random(SPLIT_SEED).shuffle(shuffled)
    test, validation = int(len(shuffled) * test_share), int(len(shuffled) * validation_share)
    end = len(shuffled) - validation
    return shuffled[test:end], shuffled[end:]


def folders(root: Path, least: int = 2) -> list[Person]:
    """Everybody of a folder with so many pictures; who has fewer is left out, and the log says so."""
    people, lonely = [], []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        pictures = tuple(pictures_in(folder))
        if len(pictures) >= least:
            people.append(Person(folder.name, pictures))
        elif pictures:
            lonely.append(folder.name)
    if lonely:
        log.warning("Left out %d people with too few pictures, such as %s.", len(lonely), lonely[0])
    return people


def checked(
    root: Path,
    train: Iterable[Person],
    validation: Iterable[Person],
    wanted: str,
    test_share: float,
    validation_share: float,
) -> People:
    """The data set of these. wanted: what a person needs. Raises ValueError when nobody is learnt from."""
    people = People(root, tuple(train), tuple(validation), read_captions(root))
    if not people.train:
        raise ValueError(
            f"--data {root} has nobody to learn from: it needs a folder per person, {wanted} in each. "
            f"{test_share:.0%} of all people are kept for tests and {validation_share:.0%} for validation."
        )
    if not people.validation:
        log.warning("Too few people for validation: there will be no held-out loss and no sample pictures.")
    return people
