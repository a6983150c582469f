"""The format of identity files: safetensors, so that opening one runs no code.

One person (likeness-identity/1): tensors `embeddings` [N, D] and maybe `weights` [N]; metadata `format`,
`recogniser`, `source` and maybe `name`. Several (likeness-identity/2): tensors `embeddings.0`,
`weights.0`, `embeddings.1`, ...; metadata `format` and `people`, a JSON list with `recogniser`, `source` and
`name` of each. Both may hold a picture, see pictures.py.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import torch

from ..values import Identity
from ..weights.write import write_tensors
from .people import Person, described
from .pictures import KEY, from_text, to_text

SINGLE, SEVERAL = FORMATS = ("likeness-identity/1", "likeness-identity/2")
_LARGEST_HEADER = 16 << 20
#: Bytes. 100 000 faces of one person take 200 MB; what is larger says so, but is no identity.
_LARGEST_FILE = 1 << 28
#: How a pickle and an archive of torch.save begin.
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")


def save_people(people: Sequence[Person], path: str | Path, pictures: torch.Tensor | None = None) -> None:
    """Write an identity file. It appears under its name only when it is complete.

    pictures: a square of each person, [N, S, S, 3], 0 to 1.
    """
    alone = len(people) == 1
    tensors, facts = {}, []
    for place, person in enumerate(people):
        identity, suffix = person.identity, "" if alone else f".{place}"
        tensors[f"embeddings{suffix}"] = identity.embeddings.contiguous().clone()
        if identity.weights is not None:
            tensors[f"weights{suffix}"] = identity.weights.contiguous().clone()
        about = {"recogniser": identity.recogniser, "source": identity.source}
        facts.append({**about, "name": person.name} if person.name else about)
    metadata = {"format": SINGLE, **facts[0]} if alone else {"format": SEVERAL, "people": json.dumps(facts)}
    # Both keys are ModelSpec's: the page's model library shows them.
    metadata["modelspec.description"] = described(people)
    if pictures is not None:
        metadata[KEY] = to_text(pictures)
    write_tensors(tensors, metadata, path)


def load_people(path: str | Path) -> tuple[list[Person], list[torch.Tensor]]:
    """The people of an identity file, and the picture [1, H, W, 3] of each, or no pictures.

    Raises ValueError naming a file of another kind or a broken one.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = Path(path)
    with path.open("rb") as file:
        metadata = _metadata(file)
        if metadata.get("format") not in FORMATS:
            file.seek(0)
            raise ValueError(_no_identity_file(path.name, file.read(4), metadata.get("format")))
        size = file.seek(0, os.SEEK_END)
        if size > _LARGEST_FILE:
            raise ValueError(
                f"{path.name} is damaged: it has {size:,} bytes, an identity file at most {_LARGEST_FILE:,}. "
                "Save the identity again."
            )
        file.seek(0)
        content = file.read()
    try:
        tensors = load(content)
        facts = [metadata] if metadata["format"] == SINGLE else _facts(metadata)
    except (SafetensorError, KeyError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{path.name} is damaged or incomplete: save the identity again. ({error})"
        ) from error
    alone = metadata["format"] == SINGLE
    people = [
        _person(path.name, tensors, about, "" if alone else f".{place}") for place, about in enumerate(facts)
    ]
    picture = metadata.get(KEY)
    return people, from_text(picture, len(people), path.name) if picture else []


def _person(file: str, tensors: Mapping[str, torch.Tensor], about: Mapping[str, str], suffix: str) -> Person:
    embeddings, recogniser = tensors.get(f"embeddings{suffix}"), about.get("recogniser", "")
    if embeddings is None or not recogniser:
        raise ValueError(f"{file} lacks its embeddings or the recogniser's name: save the identity again.")
    weights = tensors.get(f"weights{suffix}")
    try:
        return Person(
            Identity(embeddings, recogniser, weights, about.get("source", "")), about.get("name", "")
        )
    except ValueError as error:
        raise ValueError(f"{file} can't be used: {error}") from error


def _facts(metadata: Mapping[str, str]) -> list[dict[str, str]]:
    """What is known of each of several people. Raises ValueError, KeyError, RecursionError."""
    facts = json.loads(metadata["people"])
    if not isinstance(facts, list) or not facts:
        raise ValueError("its list of people is empty")
    for about in facts:
        if not isinstance(about, dict) or not all(isinstance(value, str) for value in about.values()):
            raise ValueError("its list of people holds something else")
    return facts


def _no_identity_file(name: str, start: bytes, kind: str | None) -> str:
    if start.startswith(_PICKLES):
        return (
            f"{name} is no identity file but a pickle or an archive of torch.save. Such a file can run code "
            "when it is opened, so it was not opened. Load Identity reads what Save Identity wrote."
        )
    found = f"; its format is {kind}, maybe of a newer version of this pack" if kind else ""
    return (
        f"{name} is no identity file ({' or '.join(FORMATS)}{found}). Load Identity reads what Save Identity "
        "wrote; for a picture use Detect Faces and Embed Faces."
    )


def _metadata(file: BinaryIO) -> dict[str, str]:
    """The metadata of a safetensors file; empty for any other file. Reads no more than the header."""
    start = file.read(8)
    if len(start) < 8:
        return {}
    (length,) = struct.unpack("<Q", start)
    if length > _LARGEST_HEADER:
        return {}
    text = file.read(length)
    if len(text) < length:
        return {}
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):  # neither text nor JSON, or nested without end
        return {}
    metadata = header.get("__metadata__", {}) if isinstance(header, dict) else {}
    return metadata if isinstance(metadata, dict) else {}
