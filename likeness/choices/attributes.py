"""Attributes: the directions that come with the pack, files of others, and what their signs mean."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from .. import host
from ..weights.catalogue import catalogue
from ..weights.find import find_file

FOLDER, PUBLISHED = "attributes", "embedded/attributes"
#: The choice that stands for the file that comes with the pack.
BUILT_IN = "built in"
#: What a scale below and above 0 does. Of the other published directions the sign is not known.
SIGNS: Mapping[str, tuple[str, str]] = {"person_age": ("younger", "older")}
UNKNOWN_SIGN = "direction of the sign not known"

#: Scales of the published examples lie between -2 and 2.
LARGEST_SCALE, SCALE_STEP, DELAY = 10.0, 0.05, 0.2

AGE_PAIRS = "\n".join(
    f"{very}old {who} | {very}young {who}" for very in ("", "very ") for who in ("man", "woman", "person")
)
PREFIXES = "{,a photo of,a portrait of,a painting of} a {,beautiful}"


def list_files() -> list[str]:
    """The built-in directions, then the files of models/attributes."""
    return [BUILT_IN, *host.files.list_models(FOLDER)]


def list_names() -> list[str]:
    """The attributes of all files there are, the built-in ones first."""
    return list(dict.fromkeys(name for file in list_files() for name in names_of(file)))


def path_of(file: str) -> Path | None:
    """Where a choice lies, or None. Raises MissingModel when the pack's own file is gone."""
    if file == BUILT_IN:
        return find_file(catalogue()[PUBLISHED].key)
    found = host.files.find_model(FOLDER, file)
    return Path(found) if found else None


def names_of(file: str) -> tuple[str, ...]:
    """The attributes of a choice, as its header says; none for a file that is gone or damaged."""
    path = path_of(file)
    if path is None or not path.is_file():
        return ()
    stat = path.stat()
    return _names(str(path), stat.st_size, stat.st_mtime_ns)


def fingerprint(file: str | None) -> str:
    """Changes when the file does, so that the host loads it again."""
    path = path_of(file) if file else None
    stat = path.stat() if path is not None and path.is_file() else None
    return f"{path} {stat.st_size} {stat.st_mtime_ns}" if stat else "missing"


@lru_cache(maxsize=256)
def _names(path: str, size: int, changed: int) -> tuple[str, ...]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            keys = list(file.keys())
    except (SafetensorError, OSError):
        return ()  # loading it says why
    return named(keys)


def named(keys: list[str]) -> tuple[str, ...]:
    """The attributes that tensors `<name>.clip_l` and `<name>.clip_g` make, in their order."""
    names = (key.rpartition(".")[0] for key in keys if key.endswith((".clip_l", ".clip_g")))
    return tuple(dict.fromkeys(name for name in names if name))
