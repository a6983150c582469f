"""Who is in a data set: a folder per person, or the official list over one folder. Spec A.5.

```
people/anna/0001.jpg, people/anna/0002.jpg, people/ben/...     two pictures or more of each
people/captions.json     {"anna/0001.jpg": "a smiling woman with ...", ...}     may be left out
```
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..captions import read_captions, read_object
from ..pictures import pictures_in

log = logging.getLogger(__name__)

#: The authors shuffle with this seed; of which generator is not known: here it is Python's.
SPLIT_SEED, TEST_SHARE, VALIDATION_SHARE = 2022, 0.3, 0.1
#: Names of the official list. Only the first two are attested; the others are read if they are there.
_TRAIN, _PICTURES, _VALIDATION = "train_ids", "id2image", ("val_ids", "validation_ids")
_PARTS = ("infer", "ref")


@dataclass(frozen=True)
class Person:
    """One identity and all pictures of it, two at least."""

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
        """A picture's name in captions and boxes: relative to the data set's folder."""
        return picture.relative_to(self.root).as_posix()

    def caption(self, picture: Path) -> str:
        """Its caption, or nothing."""
        return self.captions.get(self.name(picture), self.captions.get(picture.name, ""))

    @property
    def pictures(self) -> list[Path]:
        return [path for person in (*self.train, *self.validation) for path in person.pictures]


def read_people(
    root: Path,
    official: Path | None = None,
    test_share: float = TEST_SHARE,
    validation_share: float = VALIDATION_SHARE,
) -> People:
    """The data set in a folder. official: the authors' list, whose pictures all lie in `root`.

    Without a list: names sorted, shuffled with SPLIT_SEED; the first share is for tests and not looked at,
    the last for validation. Raises ValueError saying what is missing.
    """
    if not root.is_dir():
        raise ValueError(f"--data {root} is no folder.")
    if official is None:
        train, validation = split(_folders(root), test_share, validation_share)
    else:
        train, validation = _official(root, official, validation_share)
    if not train:
        raise ValueError(
            f"--data {root} has nobody to learn from: it needs a folder per person, two pictures in each. "
            f"{test_share:.0%} of all people are kept for tests and {validation_share:.0%} for validation."
        )
    if not validation:
        log.warning("Too few people for validation: there will be no held-out loss and no sample pictures.")
    return People(root, tuple(train), tuple(validation), read_captions(root))


def split(
    people: Iterable[Person], test_share: float, validation_share: float
) -> tuple[list[Person], list[Person]]:
    """(to learn from, for validation); what is for tests is left out. 1,963 people are 588, 196, 1,179."""
    shuffled = sorted(people, key=lambda person: person.name)
    random.Random(SPLIT_SEED).shuffle(shuffled)
    test, validation = int(len(shuffled) * test_share), int(len(shuffled) * validation_share)
    end = len(shuffled) - validation
    return shuffled[test:end], shuffled[end:]


def _folders(root: Path) -> list[Person]:
    people, lonely = [], []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        pictures = tuple(pictures_in(folder))
        if len(pictures) > 1:
            people.append(Person(folder.name, pictures))
        elif pictures:
            lonely.append(folder.name)
    if lonely:
        log.warning("Left out %d people with one picture, such as %s.", len(lonely), lonely[0])
    return people


def _official(root: Path, official: Path, share: float) -> tuple[list[Person], list[Person]]:
    """Without names for validation in the list, the last of the shuffled training names are it."""
    listed = read_object(official)
    absent = [key for key in (_TRAIN, _PICTURES) if key not in listed]
    if absent:
        raise ValueError(f"{official} is no list of CelebAHQ-IDI: it lacks {absent[0]}.")
    given = next((listed[key] for key in _VALIDATION if key in listed), None)
    train = [_listed(root, official, listed, str(name)) for name in listed[_TRAIN]]
    if given is None:
        return split(train, 0.0, share)
    return train, [_listed(root, official, listed, str(name)) for name in given]


def _listed(root: Path, official: Path, listed: Mapping[str, Any], name: str) -> Person:
    entry = listed[_PICTURES].get(name)
    if not isinstance(entry, Mapping):
        raise ValueError(f"{official}: {_PICTURES} has no pictures of {name!r}.")
    names = [str(picture) for part in _PARTS for picture in entry.get(part, ())]
    pictures = tuple(root / (n if Path(n).suffix else f"{n}.jpg") for n in dict.fromkeys(names))
    if len(pictures) < 2:
        raise ValueError(f"{official}: {name!r} has {len(pictures)} pictures; two are needed.")
    return Person(name, pictures)
