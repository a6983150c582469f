"""Seeds of tries: a sequence for each person, whatever else is drawn before."""

from __future__ import annotations

import hashlib

#: So many bits: whole numbers that a page's script still tells apart.
_BYTES = 6


def seed_of(seed: int, name: str, attempt: int) -> int:
    """The seed of a person's try, counted from 0. The same in every picture: frames of a clip shall not
    flicker, and a batch is what its pictures are one by one."""
    digest = hashlib.sha256(f"{seed}\n{attempt}\n{name}".encode()).digest()
    return int.from_bytes(digest[:_BYTES], "big")
