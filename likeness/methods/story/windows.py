"""Which frames share a prompt: as many as fit, so that all see each other. Spec: conditioning.md 2.1.

More tokens than one section holds would make the host open a second one, which shares nothing with the first.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

log = logging.getLogger(__name__)

#: Tokens of words that a section of CLIP's holds, between the start and the end.
ROOM = 75


def windows(count: int, size: int) -> list[tuple[int, ...]]:
    """For each of `count` frames the frames of its prompt, in the order of the text.

    All of them in the story's order where they fit; else the frame itself and the next size - 1, which go on
    with the first behind the last.
    """
    if size >= count:
        return [tuple(range(count))] * count
    return [tuple((first + step) % count for step in range(size)) for first in range(count)]


def fitting(identity: int, frames: Sequence[int], most: int, room: int = ROOM) -> list[tuple[int, ...]]:
    """The same, with as many frames at once as fit; at most `most`. identity, frames: numbers of tokens.

    Raises ValueError, with the counts, for an identity or a frame that does not fit even alone.
    """
    if most < 1:
        raise ValueError(f"window must be 1 or more, not {most}.")
    if identity > room:
        raise ValueError(
            f"identity has {identity} tokens, but a prompt holds {room}, frames included. Shorten it."
        )
    for number, tokens in enumerate(frames, 1):
        if identity + tokens > room:
            raise ValueError(
                f"frame {number} has {tokens} tokens and identity {identity}, together {identity + tokens}, "
                f"but a prompt holds {room}. Shorten one of them."
            )
    wanted = min(most, len(frames))
    found = (windows(len(frames), size) for size in range(wanted, 0, -1))
    made = next(w for w in found if all(identity + sum(frames[n] for n in one) <= room for one in w))
    if len(made[0]) < wanted:
        log.info("Story Prompt: %d frames fit into one prompt at once, not %d.", len(made[0]), wanted)
    return made
