"""Which drawing is which: keys of rows, and seeds that depend on nothing but them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

#: Numbers that the page shows exactly and that every reader of JSON keeps.
SEED_BITS = 50


def row_key(
    workflow: str,
    values: Mapping[str, Any],
    models: Mapping[str, str],
    versions: Mapping[str, str],
    occurrence: int = 0,
) -> str:
    """The sha256 that names a row's work.

    workflow: `digest` of the graph. values: by "Title.input", files by what is in them. models: sha256 by
    name, of all that the row uses. versions: of the pack and the host. occurrence: how many rows above are
    the same in all of that: each of them is drawn.
    """
    return digest([workflow, dict(values), dict(models), dict(versions), occurrence])


def digest(value: Any) -> str:
    """sha256 of a value as JSON, whatever the order of its names."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def seed(key: str, repeat: int, attempt: int) -> int:
    """The seed of an attempt at a repeat of a row; never of a worker, an order or a time."""
    found = hashlib.sha256(f"{key}/{repeat}/{attempt}".encode()).digest()
    return int.from_bytes(found[:8], "big") >> (64 - SEED_BITS)
