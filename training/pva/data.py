"""Who is in a data set: folders as in people.py, or the official list over one folder. Spec A.5."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..captions import read_object
from ..people import People, Person, checked, folders, split

TEST_SHARE, VALIDATION_SHARE = 0.3, 0.1
#: Names of the official list. Only the first two are attested; the others are read if they are there.
_TRAIN, _PICTURES, _VALIDATION = "train_ids", "id2image", ("val_ids", "validation_ids")
_PARTS = ("infer", "ref")


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
        train, validation = split(folders(root), test_share, validation_share)
    else:
        train, validation = _official(root, official, validation_share)
    return checked(root, train, validation, "two pictures", test_share, validation_share)


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
